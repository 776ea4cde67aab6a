use std::io;

use super::failure::{Attempt, Failure, IoFailure, Object, Stage};
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
    write(storage, plan, literals, geometry, watch).map_err(|failure| {
        match (failure, observed(storage, plan)) {
            // This one says that nothing was changed.
            (Failure::AppendedTo, Stage::Damaged) => Failure::Io(IoFailure {
                object: Object::Target,
                operation: "lengthen",
                offset: plan.old_len,
                len: plan.new_len.saturating_sub(plan.old_len),
                source: io::Error::other("others appended to it"),
                stage: Stage::Damaged,
            }),
            (failure, stage) => failure.at(stage),
        }
    })
}

/// What the file holds after a failure. What the commit added to the end is taken off again, together with the space that was
/// reserved for it.
fn observed<S: Storage>(storage: &S, plan: &Plan) -> Stage {
    let target = storage.target();
    if target.may_have_changed_bytes() {
        return Stage::Damaged;
    }
    match target.len() {
        Ok(len) if len == plan.old_len => {
            // Space that stays reserved does no harm.
            let _ = storage.cut(len, len);
            Stage::Unchanged
        }
        Ok(len) if len > plan.old_len => match target.end_of_data(plan.old_len..len) {
            // Others appended, and the commit added nothing.
            Ok(Some(end)) if end == len => Stage::Unchanged,
            Ok(end) if storage.cut(len, end.unwrap_or(plan.old_len)).is_ok_and(|cut| cut) => {
                Stage::Unchanged
            }
            _ => Stage::Damaged,
        },
        Ok(_) => Stage::Damaged,
        // The file is lengthened only once its length could be looked at.
        Err(_) => Stage::Unchanged,
    }
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
        carry_and_cut(storage, plan, geometry)?;
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
    let grown = storage.grow(plan.old_len, plan.new_len);
    if grown.attempt(Object::Target, "lengthen", offset, len)? {
        Ok(())
    } else {
        Err(Failure::AppendedTo)
    }
}

/// Cuts the file to its new length, after it has brought what others appended behind the old length to the new end.
fn carry_and_cut<S: Storage>(storage: &S, plan: &Plan, geometry: Geometry) -> Result<(), Failure> {
    let target = storage.target();
    let mut buffer = Buffer::new(geometry.buffer as usize);
    let mut carried = 0;
    loop {
        let (end, new_end) = (plan.old_len + carried, plan.new_len + carried);
        let len = target.len().attempt(Object::Target, "measure", 0, 0)?;
        if len > end {
            let count = (len - end).min(buffer.len() as u64);
            let part = &mut buffer[..count as usize];
            target.read_exact_at(part, end).attempt(Object::Target, "read", end, count)?;
            target.write_all_at(part, new_end).attempt(Object::Target, "write", new_end, count)?;
            carried += count;
            continue;
        }
        let cut = storage.cut(end, new_end);
        if cut.attempt(Object::Target, "shorten", new_end, end - new_end)? {
            return Ok(());
        }
        if target.len().attempt(Object::Target, "measure", 0, 0)? < end {
            return Err(io::Error::other("others shortened it")).attempt(
                Object::Target,
                "shorten",
                new_end,
                end - new_end,
            );
        }
    }
}
