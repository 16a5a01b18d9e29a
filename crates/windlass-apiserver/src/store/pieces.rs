//! What many followers of one resource are told at once, made once for all who ask alike.
//!
//! In a storm of changes a thousand watchers each get the same bytes. Making them anew for each costs more than sending
//! them; those who have seen as much as another and want it in the same form share what was made for it.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use windlass_kube::Str;

use super::{Event, Revision};

/// How many bytes of changes go out at once.
pub(crate) const PIECE_BYTES: usize = 64 << 10;

/// How many pieces are kept for others to come: watchers are about as many changes apart.
const KEPT: usize = 32;

/// How many bytes of them.
const KEPT_BYTES: usize = 1 << 20;

/// The changes after one revision, as bytes.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    /// The last change in it.
    pub(super) to: Revision,
    pub(crate) bytes: Bytes,
    /// Whether there was more than goes out at once.
    pub(crate) is_full: bool,
}

/// Pieces that were made lately.
#[derive(Default)]
pub(super) struct Pieces {
    kept: VecDeque<(Revision, Str, Piece)>,
    n_bytes: usize,
}

impl Pieces {
    /// What was made of the changes after `from` in this form, if it goes up to `last`.
    pub(super) fn get(&self, from: Revision, form: &Str, last: Revision) -> Option<Piece> {
        let mut newest_first = self.kept.iter().rev();
        let found = newest_first
            .find(|(begin, of, piece)| *begin == from && (piece.to == last || piece.is_full) && of == form);
        found.map(|(.., piece)| piece.clone())
    }

    pub(super) fn keep(&mut self, from: Revision, form: Str, piece: &Piece) {
        self.n_bytes += piece.bytes.len();
        self.kept.push_back((from, form, piece.clone()));
        while self.kept.len() > KEPT || (self.n_bytes > KEPT_BYTES && self.kept.len() > 1) {
            if let Some((.., piece)) = self.kept.pop_front() {
                self.n_bytes -= piece.bytes.len();
            }
        }
    }
}

/// Makes a piece of changes, of which there is one at least.
pub(super) fn piece_of<'a>(
    events: impl Iterator<Item = &'a Arc<Event>>,
    mut write: impl FnMut(&Arc<Event>) -> Option<Bytes>,
) -> Option<Piece> {
    let mut to = None;
    let mut first: Option<Bytes> = None;
    let mut joined: Vec<u8> = Vec::new();
    let mut is_full = false;
    for event in events {
        if joined.len().max(first.as_ref().map_or(0, Bytes::len)) >= PIECE_BYTES {
            is_full = true;
            break;
        }
        to = Some(event.revision());
        let Some(line) = write(event) else { continue };
        match &first {
            // One alone is not copied.
            None => first = Some(line),
            Some(alone) => {
                if joined.is_empty() {
                    joined.extend_from_slice(alone);
                }
                joined.extend_from_slice(&line);
            }
        }
    }
    let bytes = if joined.is_empty() { first.unwrap_or_default() } else { joined.into() };
    Some(Piece { to: to?, bytes, is_full })
}

#[cfg(test)]
mod tests {
    use windlass_kube::{Object, value};

    use super::super::{Change, Expect, Key, Store};
    use super::*;

    #[tokio::test]
    async fn pieces_tell_every_change_once_and_in_order_whoever_shares_them() {
        let store = Store::in_memory();
        let resource = Str::new("/configmaps");
        let table = store.table(&resource);
        // Large ones, so that some pieces are full.
        let object = |n: usize| {
            let text = "x".repeat(if n % 40 > 20 { 9000 } else { 10 });
            let value = value!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": (n.to_string())}, "data": {"a": text}});
            Object::try_new(value).unwrap()
        };
        let forms = [Str::new("all"), Str::new("odd")];
        let mut followers: Vec<_> = (0..12).map(|n| (n, table.subscribe(1).unwrap(), Vec::new())).collect();
        for n in 0..200 {
            let key = Key::new("", n.to_string());
            store.write(&resource, key, Expect::Absent, Change::Put(object(n))).await.unwrap();
            for (follower, subscription, seen) in &mut followers {
                // Each reads at its own pace; some read alike.
                if n % (1 + *follower % 5) != 0 && n != 199 {
                    continue;
                }
                let form = &forms[*follower % 2];
                loop {
                    let piece = subscription.piece(form, |event| {
                        (form == "all" || event.revision() % 2 == 1).then(|| event.line())
                    });
                    let Some(piece) = piece.unwrap() else { break };
                    seen.extend_from_slice(&piece.bytes);
                }
            }
        }
        let all = table.subscribe(1).unwrap().ready().unwrap();
        for (follower, _, seen) in followers {
            let is_wanted = |event: &&Arc<Event>| follower % 2 == 0 || event.revision() % 2 == 1;
            let wanted: Vec<u8> =
                all.iter().filter(is_wanted).flat_map(|event| event.line().to_vec()).collect();
            assert!(seen == wanted, "{follower}");
        }
        let pieces = table.pieces();
        assert!(pieces.kept.len() <= KEPT && pieces.n_bytes <= KEPT_BYTES);
        assert_eq!(pieces.n_bytes, pieces.kept.iter().map(|(.., piece)| piece.bytes.len()).sum::<usize>());
    }
}
