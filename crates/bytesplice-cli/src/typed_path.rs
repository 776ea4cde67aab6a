//! Paths in messages as the user typed them; the library knows files without symlinks only.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

/// FILE as it was typed, and what the library makes of it.
#[derive(Debug)]
pub struct TypedPath {
    typed: PathBuf,
    /// None if nothing can be found there.
    resolved: Option<PathBuf>,
    /// Whether what lies beside the file lies beside the typed path too.
    same_directory: bool,
}

impl TypedPath {
    /// Looks where `typed` leads to.
    pub fn new(typed: &OsStr) -> Self {
        let typed = PathBuf::from(typed);
        let resolved = fs::canonicalize(&typed).ok();
        let directory = match typed.parent() {
            Some(directory) if directory == Path::new("") => Path::new(".").canonicalize().ok(),
            Some(directory) => directory.canonicalize().ok(),
            None => None,
        };
        let same_directory = directory.is_some()
            && directory.as_deref() == resolved.as_deref().and_then(Path::parent);
        Self { typed, resolved, same_directory }
    }

    /// A path of the library's for a message: the file as typed, its neighbours (the journal) likewise.
    pub fn as_typed(&self, path: &Path) -> PathBuf {
        if self.resolved.as_deref() == Some(path) {
            return self.typed.clone();
        }
        let directory = self.resolved.as_deref().and_then(Path::parent);
        match path.file_name() {
            Some(name) if self.same_directory && path.parent() == directory => {
                self.typed.with_file_name(name)
            }
            _ => path.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn the_file_and_its_neighbours_are_as_typed_and_others_as_they_are() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        fs::create_dir(root.join("deep")).unwrap();
        fs::write(root.join("deep/data"), "").unwrap();
        symlink("deep/data", root.join("link")).unwrap();
        let (data, journal) = (root.join("deep/data"), root.join("deep/.data.bytesplice"));

        let dotted = root.join("deep/../deep/data");
        let typed = TypedPath::new(dotted.as_os_str());
        assert_eq!(typed.as_typed(&data), dotted);
        assert_eq!(typed.as_typed(&journal), root.join("deep/../deep/.data.bytesplice"));
        assert_eq!(typed.as_typed(Path::new("/elsewhere")), Path::new("/elsewhere"));

        let link = TypedPath::new(root.join("link").as_os_str());
        assert_eq!(link.as_typed(&data), root.join("link"));
        // The journal is not beside the link.
        assert_eq!(link.as_typed(&journal), journal);

        let missing = TypedPath::new(OsStr::new("/no/such/file"));
        assert_eq!(missing.as_typed(&data), data);
    }
}
