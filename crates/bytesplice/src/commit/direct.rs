use super::failure::{Attempt, Failure, Object, Stage};
use super::payload::{Literals, Payload, Reading};
use super::plan::{Geometry, Plan};
use super::watch::Watch;
use crate::buffer::Buffer;
use crate::storage::{Storage, StorageFile};

/// Writes the plan without a journal: what is cut short is lost. Kept bytes and literals that lie in the target must
/// not be overwritten before they are read, so literals may come from a block of the target only if that is the block
/// they go to.
pub(crate) fn commit<S: Storage>(
    storage: &S,
    plan: &Plan,
    literals: &impl Literals,
    geometry: Geometry,
    watch: &mut Watch<'_>,
) -> Result<(), Failure> {
    watch.pass_commit_point().map_err(|failure| failure.at(Stage::Unchanged))?;
    let target = storage.target();
    grow(storage, plan).map_err(|failure| match target.set_len(plan.old_len) {
        Ok(()) => failure.at(Stage::Unchanged),
        Err(_) => failure.at(Stage::Damaged),
    })?;
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
    let damaged = |failure: Failure| failure.at(Stage::Damaged);
    for step in &plan.steps {
        let mut written = |bytes| watch.advance(bytes);
        payload.write(step, &mut buffer, &mut written).map_err(damaged)?;
    }
    if plan.new_len < plan.old_len {
        target
            .set_len(plan.new_len)
            .attempt(Object::Target, "shorten", plan.new_len, plan.old_len - plan.new_len)
            .map_err(damaged)?;
    }
    target.sync_all().attempt(Object::Target, "sync", 0, plan.new_len).map_err(damaged)
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
