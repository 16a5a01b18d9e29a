//! Quantities against apimachinery.

#![allow(clippy::unwrap_used, reason = "tests")]

mod recorded;

use proptest::prelude::*;
use recorded::{Report, cases};
use windlass_kube::quantity::{Format, Quantity};

#[test]
fn quantities_are_those_of_apimachinery() {
    let mut report = Report::default();
    for case in cases("quantities.jsonl") {
        let text = |key: &str| case.str_at(&[key]).unwrap_or_default().to_owned();
        let of = || format!("{case:?}");
        if case.get("cmp").is_some() {
            let (a, b): (Quantity, Quantity) = (text("a").parse().unwrap(), text("b").parse().unwrap());
            report.check(of, &(a.cmp(&b) as i64), &case.int_at(&["cmp"]).unwrap());
            // Sums of more digits than we hold are refused rather than rounded.
            if let Some(sum) = a.checked_add(&b) {
                report.check(of, &sum.to_string(), &text("sum"));
            }
            if let Some(difference) = a.checked_sub(&b) {
                report.check(of, &difference.to_string(), &text("difference"));
            }
            continue;
        }
        let parsed = text("text").parse::<Quantity>();
        if case.get("error").is_some() {
            report.check(
                of,
                &parsed.map_err(|why| why.to_string()).map(|q| q.to_string()),
                &Err(text("error")),
            );
            continue;
        }
        let Ok(quantity) = parsed else {
            report.check(of, &format!("{parsed:?}"), &text("canonical"));
            continue;
        };
        let format = match quantity.format() {
            Format::DecimalSi => "DecimalSI",
            Format::BinarySi => "BinarySI",
            Format::DecimalExponent => "DecimalExponent",
        };
        report.check(of, &quantity.to_string(), &text("canonical"));
        report.check(of, &format.to_owned(), &text("format"));
        report.check(of, &quantity.value().to_string(), &text("value"));
        report.check(of, &quantity.milli_value().to_string(), &text("milli"));
        report.check(of, &i64::from(quantity.signum()), &case.int_at(&["sign"]).unwrap());
    }
    report.finish(1500);
}

fn quantity() -> impl Strategy<Value = Quantity> {
    let suffix =
        prop::sample::select(vec!["", "n", "u", "m", "k", "M", "G", "T", "Ki", "Mi", "Gi", "e3", "e-2"]);
    (any::<i32>(), prop::option::of(0_u32..10_000), suffix).prop_map(|(whole, fraction, suffix)| {
        let fraction = fraction.map(|fraction| format!(".{fraction}")).unwrap_or_default();
        format!("{whole}{fraction}{suffix}").parse().unwrap()
    })
}

proptest! {
    #[test]
    fn order_is_total_and_agrees_with_difference(a in quantity(), b in quantity(), c in quantity()) {
        prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
        if a <= b && b <= c {
            prop_assert!(a <= c);
        }
        let difference = a.checked_sub(&b).unwrap();
        prop_assert_eq!(difference.signum(), a.cmp(&b) as i32);
    }

    #[test]
    fn the_canonical_form_is_the_same_amount(a in quantity()) {
        let printed = a.to_string();
        let read: Quantity = printed.parse().unwrap();
        prop_assert_eq!(&read, &a);
        prop_assert_eq!(read.to_string(), printed);
    }
}
