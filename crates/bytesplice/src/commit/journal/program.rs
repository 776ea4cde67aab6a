//! The runs and shifts of a program, as they stand in a journal.

use std::io;

use super::Layout;
use super::codec::{Decoder, Encoder};
use super::header::Header;
use crate::commit::plan::{Geometry, Origin, Plan, Run};
use crate::commit::program::Program;
use crate::commit::shift::{Shift, ShiftKind};
use crate::storage::StorageFile;

/// Length of a run or a shift in the journal, in bytes.
pub(crate) const ENTRY_LEN: u64 = 32;

/// The runs and shifts as they stand in the journal, one after the other.
pub(crate) fn encode(program: &Program) -> impl Iterator<Item = [u8; ENTRY_LEN as usize]> + Clone {
    let runs = program.plan.runs.iter().map(|run| {
        let (kind, value) = match run.origin {
            Origin::Kept(source) => (0_u64, source),
            Origin::Literal(offset) => (1, offset),
            Origin::Fill(byte) => (2, u64::from(byte)),
            Origin::Hole => (3, 0),
        };
        [run.destination, run.len, kind, value]
    });
    let shifts = program.opening.iter().chain(&program.closing).map(|shift| {
        let kind = match shift.kind {
            ShiftKind::Insert => 4_u64,
            ShiftKind::Collapse => 5,
        };
        [shift.offset, shift.len, kind, 0]
    });
    runs.chain(shifts).map(|numbers| {
        let mut bytes = [0; ENTRY_LEN as usize];
        let mut out = Encoder { bytes: &mut bytes, at: 0 };
        numbers.into_iter().for_each(|number| out.put(&number.to_le_bytes()));
        bytes
    })
}

/// Reads the program of a journal; a description of what is wrong with it otherwise.
pub(crate) fn read(
    journal: &impl StorageFile,
    header: &Header,
    layout: &Layout,
    geometry: Geometry,
) -> io::Result<Result<Program, String>> {
    if journal.len()? < layout.len {
        return Ok(Err(format!("it is {} bytes long instead of {}", journal.len()?, layout.len)));
    }
    // Page by page, up to the first entry that cannot be: a header may claim more runs than memory holds.
    let mut crc = crc32fast::Hasher::new();
    let mut runs: Vec<Run> = Vec::new();
    let mut shifts: Vec<Shift> = Vec::new();
    let mut bytes = vec![0; geometry.page as usize];
    let entries = header.run_count + header.opening_count + header.closing_count;
    let end = layout.runs + entries * ENTRY_LEN;
    let mut offset = layout.runs;
    while offset < end {
        let len = (end - offset).min(geometry.page);
        let part = &mut bytes[..len as usize];
        journal.read_exact_at(part, offset)?;
        crc.update(part);
        for bytes in part.chunks_exact(ENTRY_LEN as usize) {
            let outcome = if (runs.len() as u64) < header.run_count {
                decode_run(bytes).map(|run| runs.push(run))
            } else {
                decode_shift(bytes, header.block).map(|shift| shifts.push(shift))
            };
            if let Err(detail) = outcome {
                return Ok(Err(detail));
            }
        }
        offset += len;
    }
    if crc.finalize() != header.runs_crc {
        return Ok(Err("the checksum of its plan does not match".into()));
    }
    let closing = shifts.split_off(header.opening_count as usize);
    let Some((base_len, planned_len)) = shifted_lengths(header, &shifts, &closing) else {
        return Ok(Err("its shifts contradict its header".into()));
    };
    if !is_consistent(&runs, base_len, planned_len, header, geometry) {
        return Ok(Err("its plan contradicts itself".into()));
    }
    let program = Program {
        old_len: header.old_len,
        new_len: header.new_len,
        opening: shifts,
        plan: Plan::from_runs(runs, base_len, planned_len, geometry),
        closing,
        snapshot: header.snapshot,
        chunk: header.chunk,
        longest_step: header.longest_step,
    };
    let fits = (program.plan.literal_len, program.step_count())
        == (header.literal_len, header.step_count)
        && (program.working_len(), program.final_len()) == (header.working_len, header.final_len);
    if !fits {
        return Ok(Err("its plan contradicts its header".into()));
    }
    Ok(Ok(program))
}

/// The lengths that the plan begins and ends with; none if the shifts do not fit the file.
fn shifted_lengths(header: &Header, opening: &[Shift], closing: &[Shift]) -> Option<(u64, u64)> {
    let mut base_len = header.old_len;
    for shift in opening {
        let end = match shift.kind {
            ShiftKind::Insert => shift.offset,
            ShiftKind::Collapse => shift.offset.checked_add(shift.len)?,
        };
        if end >= base_len || shift.len > i64::MAX as u64 - base_len {
            return None;
        }
        base_len = shift.len_after(base_len);
    }
    let mut planned_len = header.new_len;
    for shift in closing.iter().rev() {
        let fits = shift.kind == ShiftKind::Collapse && shift.offset < planned_len;
        planned_len = planned_len.checked_add(shift.len).filter(|_| fits)?;
    }
    (planned_len <= i64::MAX as u64).then_some((base_len, planned_len))
}

/// One run; a description of what is wrong with it otherwise.
fn decode_run(bytes: &[u8]) -> Result<Run, String> {
    let mut input = Decoder { bytes, at: 0 };
    let (destination, len) = (input.u64(), input.u64());
    let origin = match (input.u64(), input.u64()) {
        (0, source) => Origin::Kept(source),
        (1, offset) => Origin::Literal(offset),
        (2, byte) => Origin::Fill(byte as u8),
        (3, _) => Origin::Hole,
        (kind, _) => return Err(format!("its plan has a run of the unknown kind {kind}")),
    };
    if len == 0 {
        return Err("its plan has an empty run".into());
    }
    Ok(Run { destination, len, origin })
}

/// One shift; a description of what is wrong with it otherwise.
fn decode_shift(bytes: &[u8], block: u64) -> Result<Shift, String> {
    let mut input = Decoder { bytes, at: 0 };
    let (offset, len) = (input.u64(), input.u64());
    let kind = match input.u64() {
        4 => ShiftKind::Insert,
        5 => ShiftKind::Collapse,
        kind => return Err(format!("its plan has a shift of the unknown kind {kind}")),
    };
    if len == 0 || block == 0 || offset % block != 0 || len % block != 0 {
        return Err("its plan has a shift that is not of whole blocks".into());
    }
    Ok(Shift { kind, offset, len })
}

/// Whether runs are in order, cover whole blocks, and stay within the file and the literals; and whether the steps
/// are not so small that their list would fill the memory.
fn is_consistent(
    runs: &[Run],
    base_len: u64,
    planned_len: u64,
    header: &Header,
    geometry: Geometry,
) -> bool {
    if header.block == 0
        || header.chunk < header.block.max(geometry.chunk / 64)
        || header.longest_step < header.chunk
    {
        return false;
    }
    let (mut position, mut literals, mut kept) = (0, 0, 0);
    let consistent = runs.iter().all(|run| {
        let contiguous = run.destination == position
            || (run.destination > position
                && run.destination % header.block == 0
                && position % header.block == 0);
        let (Some(end), true, true) =
            (run.destination.checked_add(run.len), contiguous, run.len > 0)
        else {
            return false;
        };
        position = end;
        end <= planned_len
            && match run.origin {
                Origin::Kept(source) => {
                    let in_order = source >= kept;
                    kept = source.saturating_add(run.len);
                    in_order && kept <= base_len
                }
                Origin::Literal(offset) => {
                    let in_order = offset == literals;
                    literals += run.len;
                    in_order
                }
                Origin::Fill(_) => true,
                Origin::Hole => run.destination % header.block == 0 && run.len % header.block == 0,
            }
    });
    consistent && (position % header.block == 0 || position == planned_len)
}
