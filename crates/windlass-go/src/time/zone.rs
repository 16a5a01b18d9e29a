//! Time zones: UTC, a fixed offset, or a place of the time zone database.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};

/// Where a time is shown; Go's `*time.Location`.
#[derive(Clone, Debug)]
pub enum Zone {
    /// Coordinated universal time.
    Utc,
    /// A constant offset with a name that may be empty, as parsing a text with an offset makes it.
    Fixed {
        /// The abbreviation to print.
        name: Arc<str>,
        /// Seconds east of UTC.
        offset: i32,
    },
    /// A place with its rules.
    Place {
        /// The name it was loaded by.
        name: Arc<str>,
        /// The rules.
        rules: TimeZone,
    },
}

/// What a zone says about one instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offset {
    /// Seconds east of UTC.
    pub seconds: i32,
    /// The abbreviation in force, such as `CEST`; empty where there is none.
    pub abbreviation: Arc<str>,
}

/// The time zone database has no such name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown time zone {0}")]
pub struct UnknownZone(pub String);

/// Seconds after which the Gregorian calendar, weekdays and all, repeats: 400 years.
const CYCLE: i64 = 146_097 * 86_400;

impl Zone {
    /// Finds a zone by its name in the database; the empty name and `UTC` are UTC.
    ///
    /// # Errors
    ///
    /// [`UnknownZone`] when the database has no such name. `Local` is such a name too: the caller knows what
    /// is local, this crate does not.
    pub fn load(name: &str) -> Result<Self, UnknownZone> {
        if name.is_empty() || name == "UTC" {
            return Ok(Self::Utc);
        }
        let unknown = || UnknownZone(name.to_owned());
        // The database ignores case, Go's does not.
        let database = TimeZoneDatabase::bundled();
        let rules = database.get(name).map_err(|_| unknown())?;
        if rules.iana_name().is_some_and(|known| known != name) {
            return Err(unknown());
        }
        Ok(Self::Place { name: name.into(), rules })
    }

    /// The name it was made with.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Utc => "UTC",
            Self::Fixed { name, .. } | Self::Place { name, .. } => name,
        }
    }

    /// The offset in force at an instant in Unix seconds.
    #[must_use]
    pub fn offset_at(&self, unix: i64) -> Offset {
        match self {
            Self::Utc => Offset { seconds: 0, abbreviation: "UTC".into() },
            Self::Fixed { name, offset } => Offset { seconds: *offset, abbreviation: Arc::clone(name) },
            Self::Place { rules, .. } => {
                let info = rules.to_offset_info(timestamp(unix));
                Offset { seconds: info.offset().seconds(), abbreviation: info.abbreviation().into() }
            }
        }
    }

    /// The offset that an abbreviation means in this zone near an instant given in the zone's own time.
    pub(super) fn offset_named(&self, name: &str, shown: i64) -> Option<i32> {
        match self {
            Self::Utc => (name == "UTC").then_some(0),
            Self::Fixed { name: own, offset } => (&**own == name).then_some(*offset),
            Self::Place { rules, .. } => {
                let start = Timestamp::MIN;
                let named: Vec<i32> = rules
                    .following(start)
                    .take(TRANSITIONS_SEARCHED)
                    .filter(|transition| transition.abbreviation() == name)
                    .map(|transition| transition.offset().seconds())
                    .collect();
                let in_force = named.iter().find_map(|offset| {
                    let found = self.offset_at(shown.saturating_sub(i64::from(*offset)));
                    (&*found.abbreviation == name).then_some(found.seconds)
                });
                in_force.or_else(|| named.first().copied())
            }
        }
    }
}

/// How many changes of a zone's offset are looked through for an abbreviation. The zone with the most has
/// about 250 up to 2037, and after those nothing new comes.
const TRANSITIONS_SEARCHED: usize = 400;

/// The instant, or one in the same place of the calendar's cycle where the database's range ends before.
fn timestamp(unix: i64) -> Timestamp {
    let (first, last) = (Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
    let moved = if unix > last {
        last - CYCLE + (unix - last).rem_euclid(CYCLE)
    } else if unix < first {
        first
    } else {
        unix
    };
    Timestamp::from_second(moved).unwrap_or(Timestamp::UNIX_EPOCH)
}
