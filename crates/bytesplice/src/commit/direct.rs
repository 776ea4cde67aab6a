use super::failure::{Attempt, Failure, Object, Stage};
use super::payload::{Literals, Payload, Reading};
use super::plan::{Geometry, Plan};
use super::watch::Watch;
use crate::buffer::Buffer;
use crate::storage::{Storage, StorageFile};

/// Writes the plan without a journal: a commit that is cut short leaves neither the old nor the new contents. Kept bytes and
/// literals that lie in the target must not be overwritten before they are read, so literals may come from a block of the
/// target only if that is the block they go to.
///
/// A failure says [`Stage::Damaged`] only if bytes of the file were changed, or may have been: a commit whose first write
/// fails has changed nothing.
pub(crate) fn commit<S: Storage>(
    storage: &S,
    plan: &Plan,
    literals: &impl Literals,
    geometry: Geometry,
    watch: &mut Watch<'_>,
) -> Result<(), Failure> {
    watch.pass_commit_point().map_err(|failure| failure.at(Stage::Unchanged))?;
    write(storage, plan, literals, geometry, watch)
        .map_err(|failure| failure.at(observed(storage.target(), plan)))
}

/// What the file holds after a failure.
fn observed(target: &impl StorageFile, plan: &Plan) -> Stage {
    if target.may_have_changed_bytes() {
        return Stage::Damaged;
    }
    // What the commit added to the end is taken off again, together with the space that was reserved for it.
    let at_old_len = match target.len() {
        Ok(len) if len == plan.old_len && plan.new_len <= plan.old_len => true,
        Ok(len) if len >= plan.old_len => target.set_len(plan.old_len).is_ok(),
        _ => false,
    };
    if at_old_len { Stage::Unchanged } else { Stage::Damaged }
}

fn write<S: Storage>(
    storage: &S,
    plan: &Plan,
    literals: &impl Literals,
    geometry: Geometry,
    watch: &mut Watch<'_>,
) -> Result<(), Failure> {
    let target = storage.target();
    grow(storage, plan)?;
    let longest =
        plan.steps.iter().flat_map(|step| &step.ranges).map(|range| range.end - range.start).max();
    let len = longest.unwrap_or(0).next_multiple_of(geometry.block).min(geometry.buffer);
    let mut buffer = Buffer::new(len as usize);
    let payload = Payload {
        plan,
        block: geometry.block,
        target,
        literals,
        saved: None,
        snapshot: None,
        // Else the disk is what takes the time.
        reading: if target.waits_for_disk() { Reading::Announce } else { Reading::Ahead },
    };
    for step in &plan.steps {
        let mut written = |bytes| watch.advance(bytes);
        payload.write(step, &mut buffer, &mut written)?;
    }
    if plan.new_len < plan.old_len {
        let (offset, len) = (plan.new_len, plan.old_len - plan.new_len);
        target.set_len(offset).attempt(Object::Target, "shorten", offset, len)?;
    }
    target.sync_all().attempt(Object::Target, "sync", 0, plan.new_len)
}

/// Reserves space and sets the length; the old contents stay.
fn grow<S: Storage>(storage: &S, plan: &Plan) -> Result<(), Failure> {
    if plan.new_len <= plan.old_len {
        return Ok(());
    }
    let (offset, len) = (plan.old_len, plan.new_len - plan.old_len);
    storage.reserve(offset, len).attempt(Object::Target, "reserve space in", offset, len)?;
    storage.target().set_len(plan.new_len).attempt(Object::Target, "lengthen", offset, len)
}
