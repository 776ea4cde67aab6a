//! The parts of edited contents, against the contents and against the old ones.

use std::fs;

use bytesplice::{Content, Origin, SpliceFile};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn parts_make_up_the_contents(
        edits in proptest::collection::vec((0..6_u8, 0..200_u64, 0..200_u64, 0..200_u64), 0..8),
    ) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("data");
        let old: Vec<u8> = (0..=255).collect();
        fs::write(&path, &old).unwrap();
        let mut file = SpliceFile::open(&path).unwrap();
        for (kind, one, other, offset) in edits {
            let len = file.len();
            let (start, end) = (one.min(other).min(len), one.max(other).min(len));
            let offset = offset.min(len);
            match kind {
                0 => file.insert(offset, "new").unwrap(),
                1 => file.remove(start..end).unwrap(),
                2 => file.splice(start..end, Content::fill(b'.', 5)).unwrap(),
                3 => file.copy_range(start..end, offset).unwrap(),
                // Into itself is refused.
                4 => drop(file.move_range(start..end, offset)),
                _ => file.append("end").unwrap(),
            }
        }
        let mut new = vec![0; file.len() as usize];
        file.read_exact_at(&mut new, 0).unwrap();

        let (mut end, mut kept_until) = (0, 0);
        for part in file.parts() {
            prop_assert_eq!(part.range.start, end);
            prop_assert!(part.range.end > end);
            end = part.range.end;
            let len = part.range.end - part.range.start;
            if let Origin::Kept(offset) | Origin::Copied(offset) = part.origin {
                let (there, here) = (offset as usize, part.range.start as usize);
                prop_assert_eq!(&old[there..][..len as usize], &new[here..][..len as usize]);
            }
            if let Origin::Kept(offset) = part.origin {
                prop_assert!(offset >= kept_until);
                kept_until = offset + len;
            }
        }
        prop_assert_eq!(end, file.len());
        let plan = file.plan().unwrap();
        let moved = |part: &bytesplice::Part| matches!(part.origin, Origin::Kept(offset) if offset != part.range.start);
        let moved: u64 = file.parts().filter(moved).map(|part| part.range.end - part.range.start).sum();
        prop_assert_eq!(moved, plan.bytes_moved);
        prop_assert_eq!(file.old_len(), 256);
    }
}
