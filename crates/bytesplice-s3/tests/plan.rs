//! Plans against a model: the parts give the contents, keep the store's rules, and are the best there are.

use bytesplice_s3::{Origin, Part, Piece, Plan, PlanError, Profile};
use proptest::prelude::*;

const TIB: u64 = 1 << 40;
const MIB: u64 = 1 << 20;

/// A store of small numbers, where all divisions can be tried.
fn tiny(smallest: u64, largest: u64) -> Profile {
    Profile {
        smallest_part: smallest,
        largest_part: largest,
        preferred_upload: largest,
        fetched_along: 0,
        ..Profile::AWS
    }
}

/// The contents that `pieces` are, every new byte another one that is not in the old object.
fn contents(pieces: &[Piece]) -> Vec<u64> {
    let mut contents = Vec::new();
    for piece in pieces {
        match *piece {
            Piece::Kept { offset, len } => contents.extend(offset..offset + len),
            Piece::New { len } => {
                let position = contents.len() as u64;
                contents.extend((position..position + len).map(|byte| byte + (1 << 32)));
            }
        }
    }
    contents
}

/// What the parts of a plan give.
fn assembled(plan: &Plan) -> Vec<u64> {
    let mut contents = Vec::new();
    for part in plan.parts() {
        assert_eq!(part.offset, contents.len() as u64);
        match part.origin {
            Origin::Kept(offset) => contents.extend(offset..offset + part.len),
            Origin::New => {
                for segment in plan.segments(part.offset..part.end()) {
                    assert_eq!(segment.offset, contents.len() as u64);
                    match segment.origin {
                        Origin::Kept(offset) => contents.extend(offset..offset + segment.len),
                        Origin::New => contents.extend(
                            (segment.offset..segment.offset + segment.len)
                                .map(|byte| byte + (1 << 32)),
                        ),
                    }
                }
            }
        }
    }
    contents
}

fn check_rules(plan: &Plan, profile: &Profile) {
    let parts = plan.parts();
    assert!(parts.len() as u64 <= profile.most_parts);
    for part in &parts[..parts.len() - 1] {
        assert!(part.len >= profile.smallest_part, "{part:?}");
    }
    for part in parts {
        assert!(plan.is_single_put() || (1..=profile.largest_part).contains(&part.len), "{part:?}");
    }
    if profile.equal_parts {
        let first = parts[0].len;
        assert!(parts[..parts.len() - 1].iter().all(|part| part.len == first));
        assert!(parts[parts.len() - 1].len <= first);
    }
    let cost = plan.cost();
    assert_eq!(cost.bytes_up + cost.bytes_copied, plan.len());
}

/// The fewest (bytes fetched, requests) of all divisions with a cut at any byte.
fn best_by_trying(contents: &[u64], old_len: u64, profile: &Profile) -> (u64, u64) {
    let len = contents.len();
    let (smallest, largest) = (profile.smallest_part as usize, profile.largest_part as usize);
    let is_new = |at: usize| contents[at] >= 1 << 32;
    let follows = |at: usize| contents[at] == contents[at - 1] + 1 && is_new(at) == is_new(at - 1);
    let mut best = vec![None; len + 1];
    best[0] = Some((0, 0));
    for end in 1..=len {
        for start in end.saturating_sub(largest)..end {
            if end - start < smallest && end < len {
                continue;
            }
            let Some((fetched, requests)) = best[start] else { continue };
            let is_run = (start + 1..end).all(follows) && !is_new(start);
            let price = if is_run && old_len > profile.smallest_part {
                (fetched, requests + 1)
            } else {
                let kept = (start..end).filter(|&at| !is_new(at));
                let gets = kept.clone().filter(|&at| at == start || !follows(at)).count();
                (fetched + kept.count() as u64, requests + 1 + gets as u64)
            };
            best[end] = Some(best[end].map_or(price, |best: (u64, u64)| best.min(price)));
        }
    }
    best[len].expect("a part of the smallest length at least")
}

fn pieces(old_len: u64, most: usize) -> impl Strategy<Value = Vec<Piece>> {
    let kept = (0..old_len, 0..old_len)
        .prop_map(move |(offset, len)| Piece::Kept { offset, len: len.min(old_len - offset) });
    let short = (0..old_len, 0..9_u64)
        .prop_map(move |(offset, len)| Piece::Kept { offset, len: len.min(old_len - offset) });
    let new = (0..9_u64).prop_map(|len| Piece::New { len });
    prop::collection::vec(prop_oneof![kept, short, new], 0..most)
}

/// What edits leave: pieces in the order of the old object.
fn edited(old_len: u64) -> impl Strategy<Value = Vec<Piece>> {
    prop::collection::vec((0..old_len, 0..5_u64, 0..5_u64), 0..8).prop_map(move |mut edits| {
        edits.sort_unstable();
        let (mut pieces, mut reached) = (Vec::new(), 0);
        for (at, removed, inserted) in edits {
            let at = at.max(reached);
            pieces.push(Piece::Kept { offset: reached, len: at - reached });
            pieces.push(Piece::New { len: inserted });
            reached = (at + removed).min(old_len);
        }
        pieces.push(Piece::Kept { offset: reached, len: old_len - reached });
        pieces
    })
}

fn check_best(pieces: Vec<Piece>, old_len: u64, profile: &Profile) {
    let model = contents(&pieces);
    let plan = Plan::new(pieces, old_len, profile).unwrap();
    assert_eq!(assembled(&plan), model);
    check_rules(&plan, profile);
    if plan.is_single_put() {
        return;
    }
    let cost = plan.cost();
    let (fetched, requests) = best_by_trying(&model, old_len, profile);
    assert_eq!(cost.bytes_down, fetched, "{:?}", plan.parts());
    // A cut between two sent parts may part a run that is fetched.
    let cuts = plan.parts().windows(2);
    let cuts = cuts.filter(|pair| pair.iter().all(|part| part.origin == Origin::New)).count();
    let unjoined = |part: &Part| {
        let segments = plan.segments(part.offset..part.end());
        segments.filter(|segment| segment.origin != Origin::New).count() as u64
    };
    let sent = plan.parts().iter().filter(|part| part.origin == Origin::New);
    let gets: u64 = sent.map(unjoined).sum();
    assert!(cost.requests.gets <= gets);
    let found = plan.parts().len() as u64 + gets;
    assert!((requests..=requests + cuts as u64).contains(&found), "{found}: {:?}", plan.parts());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(20_000) })]

    #[test]
    fn no_division_is_better(
        pieces in pieces(60, 9), smallest in 1..7_u64, factor in 3..8_u64,
    ) {
        check_best(pieces, 60, &tiny(smallest, smallest * factor));
    }

    #[test]
    fn no_division_of_edited_contents_is_better(
        pieces in edited(90), smallest in 1..9_u64, extra in 0..9_u64,
    ) {
        check_best(pieces, 90, &tiny(smallest, smallest * 3 + extra));
    }

    #[test]
    fn equal_parts_give_the_contents(pieces in pieces(60, 9), smallest in 1..7_u64) {
        let profile = Profile { equal_parts: true, most_parts: 12, ..tiny(smallest, 64 * smallest) };
        let model = contents(&pieces);
        match Plan::new(pieces, 60, &profile) {
            Ok(plan) => {
                prop_assert_eq!(assembled(&plan), model);
                check_rules(&plan, &profile);
            }
            Err(error) => {
                let too_many = matches!(error, PlanError::TooManyParts { .. });
                prop_assert!(too_many && model.len() as u64 > 12 * profile.largest_part, "{error}");
            }
        }
    }

    #[test]
    fn few_parts_give_the_contents(pieces in pieces(60, 30), smallest in 1..5_u64, most in 1..9_u64) {
        let profile = Profile { most_parts: most, ..tiny(smallest, 200 * smallest) };
        let profile = Profile { preferred_upload: 3 * smallest, ..profile };
        let model = contents(&pieces);
        match Plan::new(pieces, 60, &profile) {
            Ok(plan) => {
                prop_assert_eq!(assembled(&plan), model);
                check_rules(&plan, &profile);
            }
            Err(error) => prop_assert!(model.len() as u64 > most * profile.largest_part, "{error}"),
        }
    }
}

#[test]
fn a_byte_in_a_tebibyte_sends_one_part() {
    for old_len in [TIB, 5 * TIB - 1] {
        for offset in [1, 10, old_len / 2, old_len - 1] {
            let pieces = [
                Piece::Kept { offset: 0, len: offset },
                Piece::New { len: 1 },
                Piece::Kept { offset, len: old_len - offset },
            ];
            for profile in [Profile::AWS, Profile::COMPATIBLE] {
                let plan = Plan::new(pieces, old_len, &profile).unwrap();
                check_rules(&plan, &profile);
                assert!(plan.cost().bytes_up <= 5 * MIB, "{:?}", plan.cost());
                assert!(plan.parts().len() as u64 <= old_len.div_ceil(5 << 30) + 3);
            }
            let plan = Plan::new(pieces, old_len, &Profile::EQUAL_PARTS).unwrap();
            check_rules(&plan, &Profile::EQUAL_PARTS);
            // At 5 TiB a part of equal length is 525 MiB.
            assert!(plan.cost().bytes_up <= 2 * 525 * MIB, "{:?}", plan.cost());
        }
    }
}

#[test]
fn a_tebibyte_without_its_first_bytes_sends_nothing() {
    let plan = Plan::new([Piece::Kept { offset: 100, len: TIB - 100 }], TIB, &Profile::AWS);
    let plan = plan.unwrap();
    assert_eq!((plan.cost().bytes_up, plan.cost().bytes_down), (0, 0));
    assert_eq!(plan.cost().requests.copies, TIB.div_ceil(5 << 30));
    assert_eq!(plan.cost().requests.total(), TIB.div_ceil(5 << 30) + 3);
    // 207 requests at half a cent a thousand, and the tags are read.
    let price = 207.0 * 0.005 / 1000.0 + 0.0004 / 1000.0;
    assert!((plan.cost().price - price).abs() < 1e-12);
}

#[test]
fn what_is_checked_before_the_swap_is_counted() {
    let counts = |pieces: &[Piece], old_len, profile: &Profile| {
        let plan = Plan::new(pieces.iter().copied(), old_len, profile).unwrap();
        let requests = plan.cost().requests;
        assert_eq!(plan.conditions(), profile.conditions);
        (requests.tags, requests.lists, requests.heads)
    };
    let copied = [Piece::Kept { offset: 0, len: TIB }, Piece::New { len: 1 }];
    // 1,001 parts and more.
    let many = [Piece::Kept { offset: 0, len: 5 * TIB - 1 }];
    let new = [Piece::New { len: 100 * MIB }];
    for profile in [Profile::COMPATIBLE, Profile::UNKNOWN] {
        assert_eq!(counts(&copied, TIB, &profile), (1, 1, 1));
        assert_eq!(counts(&many, 5 * TIB, &profile), (1, 2, 1));
        // Nothing is copied, and nothing was there.
        assert_eq!(counts(&new, 0, &profile), (0, 0, 1));
        assert_eq!(counts(&new[..0], 7, &profile), (1, 0, 1));
    }
    assert_eq!(counts(&copied, TIB, &Profile::AWS), (1, 0, 0));
}

#[test]
fn short_contents_take_one_put() {
    let pieces = [Piece::Kept { offset: 7, len: 3 }, Piece::New { len: 4 }];
    for (pieces, len) in [(&pieces[..], 7), (&pieces[1..], 4), (&[], 0)] {
        let plan = Plan::new(pieces.iter().copied(), TIB, &Profile::AWS).unwrap();
        assert!(plan.is_single_put());
        assert_eq!((plan.len(), plan.parts().len()), (len, 1));
        assert_eq!(plan.cost().requests.puts, 1);
    }
}

#[test]
fn new_contents_of_many_gibibytes_stay_within_the_parts() {
    let plan = Plan::new([Piece::New { len: 5 * TIB }], 0, &Profile::AWS).unwrap();
    check_rules(&plan, &Profile::AWS);
    let longest = plan.parts().iter().map(|part| part.len).max().unwrap();
    assert!(longest <= 526 * MIB, "{longest}");
}

#[test]
fn a_hundred_thousand_pieces_are_planned() {
    // Runs of all lengths around the smallest part, so that every choice is there.
    let (mut pieces, mut offset) = (Vec::new(), 0);
    let mut random = 1_u64;
    for _ in 0..50_000 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let len = (random >> 33) % (20 * MIB);
        pieces.push(Piece::Kept { offset, len });
        pieces.push(Piece::New { len: (random >> 20) % MIB });
        offset += len + 3;
    }
    let plan = Plan::new(pieces.iter().copied(), offset, &Profile::AWS).unwrap();
    check_rules(&plan, &Profile::AWS);
    assert!(plan.cost().bytes_copied > 0);
    assert!(plan.parts().len() > 9_900, "{}", plan.parts().len());
}

#[test]
fn what_the_store_does_not_allow_is_refused() {
    let error = Plan::new([Piece::New { len: 6 * TIB }], 0, &Profile::COMPATIBLE).unwrap_err();
    assert_eq!(error, PlanError::TooLarge { len: 6 * TIB, largest: 5 * TIB });
    let error =
        Plan::new([Piece::Kept { offset: u64::MAX, len: 2 }], 9, &Profile::AWS).unwrap_err();
    assert_eq!(error, PlanError::OutOfRange { start: u64::MAX, end: u64::MAX, old_len: 9 });
    let few = Profile { equal_parts: true, most_parts: 2, ..tiny(1, 3) };
    let error = Plan::new([Piece::New { len: 7 }], 0, &few).unwrap_err();
    assert_eq!(error, PlanError::TooManyParts { parts: 3, most: 2 });
    let broken = Profile { largest_part: 9, ..tiny(5, 15) };
    let error = Plan::new([Piece::New { len: 7 }], 0, &broken).unwrap_err();
    assert!(matches!(error, PlanError::Profile { .. }), "{error}");
}
