//! Remove, insert and replace in the middle of a file: `cargo run -q -p bytesplice --example job`.

use bytesplice::{Content, SpliceFile};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::temp_dir().join("bytesplice-job");
    std::fs::write(&path, "0000111122223333444455556666777788889999")?;

    let mut file = SpliceFile::open(&path)?;
    file.remove(4..8)?;
    file.insert(4, "AAAA")?;
    file.replace(10..20, "text of any length")?;
    file.splice(file.len().., Content::fill(b'.', 3))?;
    file.commit()?; // one pass, crash-safe, same inode

    println!("{}", std::fs::read_to_string(&path)?);
    std::fs::remove_file(&path)?;
    Ok(())
}
