use std::io::{BufRead, Write};

use super::apply::apply;
use super::draft::{Backward, Draft};
use super::pieces::inverse;
use super::{Checks, Offsets, Script, ScriptHeader, ScriptProblem, ScriptWriter, describe};
use crate::Result;

/// Writes the script that takes back what `script` does, without the old file: `script` must hold all bytes that it
/// removes, as those written with [`Checks::Whole`] do. The result holds them as well, where they are known.
///
/// With the old file, [apply](crate::Contents::apply) the script to it and
/// [write the undo script](crate::Contents::write_undo_script).
///
/// # Errors
/// [`Error::Script`](crate::Error::Script), with [`ScriptProblem::OldBytesMissing`] if it does not hold them.
///
/// # Examples
/// ```
/// # fn main() -> bytesplice::Result<()> {
/// use bytesplice::{Script, ScriptWriter, invert};
///
/// let script = "{\"bytesplice\":1}\n{\"replace\":[4,6],\"text\":\"abc\",\"old\":{\"text\":\"45\"}}\n";
/// let mut inverse = ScriptWriter::new("inverse", Vec::new());
/// invert(Script::new("script", script.as_bytes())?, &mut inverse)?;
/// assert_eq!(
///     inverse.finish()?,
///     b"{\"bytesplice\":1}\n{\"replace\":[4,7],\"text\":\"45\",\"old\":{\"text\":\"abc\"}}\n"
/// );
/// # Ok(())
/// # }
/// ```
pub fn invert<W: Write>(mut script: Script<impl BufRead>, out: &mut ScriptWriter<W>) -> Result<()> {
    let mut draft = Draft::new(script.header().old_len, true);
    let knows_length = draft.knows_length();
    apply(&mut draft, &mut script, knows_length)?;
    if let Some(expected) = script.header().new_len
        && !draft.settle(expected)
    {
        return Err(script.error(ScriptProblem::NewLength { expected, found: draft.len() }));
    }
    draft.learned();
    let known = |len| draft.knows_length().then_some(len);
    let (old_len, new_len) = (known(draft.len()), known(draft.old_len()));
    out.header(&ScriptHeader { offsets: Offsets::Old, old_len, new_len })?;
    let pieces = inverse(&draft.pieces(), draft.old_len());
    describe(&pieces, draft.len(), &Backward(&draft), Checks::Whole, out)
}
