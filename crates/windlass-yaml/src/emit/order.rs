//! The order in which Go's YAML packages print a map's keys: numbers inside keys count as numbers.

use std::cmp::Ordering;

use crate::resolve::Dialect;
use crate::value::{Map, Str, Value};

/// The members of a map in printing order.
pub(super) fn members(map: &Map, dialect: Dialect) -> Vec<(&Str, &Value)> {
    let mut members: Vec<(&Str, &Value)> = map.iter().collect();
    let in_order = members.windows(2).all(|pair| !less(pair[1].0, pair[0].0, dialect));
    if !in_order {
        merge_sort(&mut members, dialect);
    }
    members
}

/// Sorts without relying on a total order, which Go's comparison is not: the standard library may panic then.
fn merge_sort(members: &mut Vec<(&Str, &Value)>, dialect: Dialect) {
    let mut width = 1;
    while width < members.len() {
        let mut merged = Vec::with_capacity(members.len());
        for chunk in members.chunks(2 * width) {
            let (mut left, mut right) = chunk.split_at(width.min(chunk.len()));
            while let (Some(a), Some(b)) = (left.first(), right.first()) {
                if less(b.0, a.0, dialect) {
                    merged.push(*b);
                    right = &right[1..];
                } else {
                    merged.push(*a);
                    left = &left[1..];
                }
            }
            merged.extend_from_slice(left);
            merged.extend_from_slice(right);
        }
        *members = merged;
        width *= 2;
    }
}

/// Whether `a` comes before `b`.
fn less(a: &str, b: &str, dialect: Dialect) -> bool {
    // Equal beginnings decide nothing but whether a number has begun.
    let common = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    let mut common = common;
    while !a.is_char_boundary(common) || !b.is_char_boundary(common) {
        common -= 1;
    }
    let (head, rest_a) = a.split_at(common);
    let rest_b = &b[common..];
    let (Some(ca), Some(cb)) = (rest_a.chars().next(), rest_b.chars().next()) else {
        return a.len() < b.len();
    };
    let (letter_a, letter_b) = (is_letter(ca), is_letter(cb));
    if letter_a && letter_b {
        return ca < cb;
    }
    if letter_a || letter_b {
        let after_digit = head.ends_with(|c: char| c.is_ascii_digit());
        return if dialect == Dialect::V3 && after_digit { letter_a } else { letter_b };
    }
    let mut start = 0;
    if ca == '0' || cb == '0' {
        let digits = head.chars().rev().take_while(char::is_ascii_digit);
        start = i64::from(digits.filter(|digit| *digit != '0').count() > 0);
    }
    let number = |text: &str| {
        let digits = text.bytes().take_while(u8::is_ascii_digit);
        digits.fold((start, 0_usize), |(number, length): (i64, usize), digit| {
            (number.wrapping_mul(10).wrapping_add(i64::from(digit - b'0')), length + 1)
        })
    };
    let ((na, la), (nb, lb)) = (number(rest_a), number(rest_b));
    na.cmp(&nb).then(la.cmp(&lb)).then(ca.cmp(&cb)) == Ordering::Less
}

/// Go's `unicode.IsLetter`, up to the marks and letter-like numbers that Rust counts as alphabetic.
fn is_letter(character: char) -> bool {
    character.is_alphabetic()
}
