//! What a commit asks of a store, for people and for programs.

use std::fmt::Write;

use bytesplice_s3::{Origin, Plan, Requests};
use serde_json::{Value, json};

use crate::layout::Layout;
use crate::output::{Object, bytes, grouped};
use crate::plan_picture::plan_picture;

/// Parts that are listed one by one.
const LISTED: usize = 8;
/// Parts that are told one by one in an object.
const TOLD_PARTS: usize = 1000;

/// A picture of the plan, what goes through this machine, what the store does, and what that costs.
pub fn object_plan_table(plan: &Plan, layout: &Layout) -> String {
    let mut table = plan_picture(layout);
    table.push('\n');
    let cost = plan.cost();
    let mut row = |name: &str, value: String| {
        let _ = writeln!(table, "  {name:<11}{value}");
    };
    let parts = plan.parts();
    let copied = parts.iter().filter(|part| part.origin != Origin::New).count();
    row(
        "parts",
        match (plan.is_single_put(), copied, parts.len() - copied) {
            (true, ..) => "none: the object is sent whole".into(),
            (_, copied, 0) => format!("{} copied by the store", counted(copied)),
            (_, 0, sent) => format!("{} sent", counted(sent)),
            (_, copied, sent) => {
                format!("{} copied by the store, {} sent", counted(copied), counted(sent))
            }
        },
    );
    row("sent", bytes(cost.bytes_up));
    row("fetched", bytes(cost.bytes_down));
    row("copied", format!("{} by the store", bytes(cost.bytes_copied)));
    row("requests", requests(&cost.requests));
    if cost.price > 0.0 {
        row("price", format!("about {}", dollars(cost.price)));
    }
    if !plan.is_single_put() && parts.len() <= LISTED {
        table.push('\n');
        list(plan, &mut table);
    }
    table
}

fn counted(parts: usize) -> String {
    grouped(parts as u64)
}

/// How many of which.
fn requests(requests: &Requests) -> String {
    let there = kinds(requests).into_iter().filter(|&(_, count)| count > 0);
    let kinds: Vec<String> =
        there.map(|(name, count)| format!("{name} {}", grouped(count))).collect();
    format!("{} ({})", grouped(requests.total()), kinds.join(", "))
}

/// All kinds, in the order in which they are made.
fn kinds(requests: &Requests) -> [(&'static str, u64); 9] {
    [
        ("tags", requests.tags),
        ("creates", requests.creates),
        ("gets", requests.gets),
        ("uploads", requests.uploads),
        ("copies", requests.copies),
        ("lists", requests.lists),
        ("heads", requests.heads),
        ("puts", requests.puts),
        ("completes", requests.completes),
    ]
}

/// US dollars with two digits that mean something.
fn dollars(price: f64) -> String {
    let digits = (1.0 - price.log10().floor()).clamp(2.0, 7.0);
    format!("${price:.0$}", digits as usize)
}

fn list(plan: &Plan, table: &mut String) {
    let place = |start: u64, len: u64| format!("{}..{}", grouped(start), grouped(start + len));
    let rows: Vec<(String, String)> = plan
        .parts()
        .iter()
        .map(|part| {
            let becomes = match part.origin {
                Origin::Kept(offset) if offset == part.offset => "copied".into(),
                Origin::Kept(offset) => format!("copied from {}", place(offset, part.len)),
                Origin::New => match plan.bytes_fetched(part) {
                    0 => "sent".into(),
                    fetched => format!("sent, {} of it fetched before", bytes(fetched)),
                },
            };
            (place(part.offset, part.len), becomes)
        })
        .collect();
    let width = rows.iter().map(|(place, _)| place.len()).max().unwrap_or(0);
    for (number, (place, becomes)) in rows.into_iter().enumerate() {
        let _ = writeln!(table, "  part {:<2} {place:<width$}  {becomes}", number + 1);
    }
}

/// The same for programs.
pub fn object_plan_value(plan: &Plan) -> Value {
    let cost = plan.cost();
    let counts = kinds(&cost.requests).into_iter();
    let mut requests: Object =
        counts.map(|(name, count)| (name.to_owned(), count.into())).collect();
    requests.insert("total".into(), cost.requests.total().into());
    let parts = plan.parts().iter().take(TOLD_PARTS).map(|part| {
        let mut value = json!({ "range": [part.offset, part.end()] });
        match part.origin {
            Origin::Kept(from) => value["copied_from"] = from.into(),
            Origin::New => value["bytes_fetched"] = plan.bytes_fetched(part).into(),
        }
        value
    });
    json!({
        "single_put": plan.is_single_put(),
        "bytes_up": cost.bytes_up,
        "bytes_down": cost.bytes_down,
        "bytes_copied": cost.bytes_copied,
        "requests": requests,
        "price": cost.price,
        "part_count": plan.parts().len(),
        "parts": parts.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::dollars;

    #[test]
    fn prices_have_two_digits_that_mean_something() {
        for (price, text) in [
            (0.000_025, "$0.000025"),
            (0.000_506_7, "$0.00051"),
            (0.095, "$0.095"),
            (12.0, "$12.00"),
        ] {
            assert_eq!(dollars(price), text);
        }
    }
}
