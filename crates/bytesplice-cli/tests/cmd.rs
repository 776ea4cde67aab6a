//! The transcripts in `tests/cmd` are what the commands print, byte for byte.
//!
//! `TRYCMD=overwrite cargo test -p bytesplice-cli --test cmd` records them anew.

#[test]
fn transcripts() {
    trycmd::TestCases::new().case("tests/cmd/*.md");
}
