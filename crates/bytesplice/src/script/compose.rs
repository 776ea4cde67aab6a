use std::io::{BufRead, Write};

use super::apply::apply;
use super::draft::{Draft, Forward};
use super::{Checks, Offsets, Script, ScriptHeader, ScriptProblem, ScriptWriter, describe};
use crate::Result;

/// Writes the script that does what `first` and then `second` do. Needs no file but those that the scripts name.
///
/// What both say of old bytes is not carried over. O(n log n) in the edits, and their bytes; of those 16 MiB stay in
/// memory.
///
/// # Errors
/// [`Error::Script`](crate::Error::Script), also if the scripts do not fit each other by their lengths.
///
/// # Examples
/// ```
/// # fn main() -> bytesplice::Result<()> {
/// use bytesplice::{Script, ScriptWriter, compose};
///
/// let first = "{\"bytesplice\":1}\n{\"insert\":4,\"text\":\"ab\"}\n";
/// let second = "{\"bytesplice\":1}\n{\"remove\":[5,8]}\n";
/// let mut both = ScriptWriter::new("both", Vec::new());
/// compose(Script::new("first", first.as_bytes())?, Script::new("second", second.as_bytes())?, &mut both)?;
/// assert_eq!(both.finish()?, b"{\"bytesplice\":1}\n{\"replace\":[4,6],\"text\":\"a\"}\n");
/// # Ok(())
/// # }
/// ```
pub fn compose<W: Write>(
    mut first: Script<impl BufRead>,
    mut second: Script<impl BufRead>,
    out: &mut ScriptWriter<W>,
) -> Result<()> {
    let mut draft = Draft::new(first.header().old_len, false);
    let knows_length = draft.knows_length();
    apply(&mut draft, &mut first, knows_length)?;
    if let Some(expected) = first.header().new_len
        && !draft.settle(expected)
    {
        return Err(first.error(ScriptProblem::NewLength { expected, found: draft.len() }));
    }
    if let Some(expected) = second.header().old_len
        && !draft.settle(expected)
    {
        return Err(second.error(ScriptProblem::OldLength { expected, found: draft.len() }));
    }
    let knows_length = draft.knows_length();
    apply(&mut draft, &mut second, knows_length)?;
    if let Some(expected) = second.header().new_len
        && !draft.settle(expected)
    {
        return Err(second.error(ScriptProblem::NewLength { expected, found: draft.len() }));
    }
    let known = |len| draft.knows_length().then_some(len);
    let (old_len, new_len) = (known(draft.old_len()), known(draft.len()));
    out.header(&ScriptHeader { offsets: Offsets::Old, old_len, new_len })?;
    describe(&draft.pieces(), draft.old_len(), &Forward(&draft), Checks::None, out)
}
