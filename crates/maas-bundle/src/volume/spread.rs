//! How a bundle is spread over volumes of any size.

use std::collections::BTreeSet;

use maas_types::{BillOfLading, Digest};

use super::{Assignment, ObjectName, carried};

/// How a bundle is spread over volumes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spread {
    /// About the same number of bytes on each volume.
    Evenly,
    /// The volumes have so many bytes free each, and are filled in their order.
    Capacities(Vec<u64>),
    /// The volumes have so many bytes free each: evenly where that fits, else in their order.
    Room(Vec<u64>),
}

/// Why a bundle does not go on these volumes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpreadError {
    /// Too little room.
    #[error("the volumes are {missing} bytes too small for the bundle")]
    TooSmall {
        /// Bytes for which there is no room; at least.
        missing: u64,
    },
    /// Not one capacity for each volume.
    #[error("{capacities} capacities were given for {volumes} volumes")]
    Capacities {
        /// How many capacities.
        capacities: usize,
        /// How many volumes.
        volumes: usize,
    },
    /// A volume would stay empty.
    #[error("{needed} of the {volumes} volumes suffice: leave the others out")]
    TooMany {
        /// How many are needed.
        needed: usize,
        /// How many were given.
        volumes: usize,
    },
}

/// What file systems lose per file at most: exFAT's biggest common cluster.
const CLUSTER: u64 = 128 << 10;

impl Assignment {
    /// Spreads the objects in their order, so that a blob's parts stay together where they can.
    /// `every` are the bytes that each volume carries beside its objects.
    pub(crate) fn spread(
        bill: &BillOfLading,
        spread: &Spread,
        volumes: usize,
        every: u64,
        left_out: BTreeSet<Digest>,
    ) -> Result<Self, SpreadError> {
        let objects = carried(bill, &left_out);
        let shares = match spread {
            Spread::Evenly => evenly(&objects, volumes)?,
            Spread::Capacities(bytes) | Spread::Room(bytes) if bytes.len() != volumes => {
                return Err(SpreadError::Capacities {
                    capacities: bytes.len(),
                    volumes,
                });
            }
            Spread::Capacities(bytes) => fill(&objects, bytes, every)?,
            Spread::Room(bytes) => match evenly(&objects, volumes) {
                Ok(shares) if all_fit(&shares, bytes, every) => shares,
                Ok(_) => fill(&objects, bytes, every)?,
                Err(error) => return Err(error),
            },
        };
        Ok(Self { shares, left_out })
    }
}

/// Bytes that an object takes on a volume, at most.
fn cost(object: &ObjectName) -> u64 {
    object.size.saturating_add(CLUSTER)
}

fn all_fit(shares: &[Vec<ObjectName>], capacities: &[u64], every: u64) -> bool {
    shares.iter().zip(capacities).all(|(share, capacity)| {
        let bytes = share.iter().map(cost).fold(every, u64::saturating_add);
        bytes <= *capacity
    })
}

/// How many volumes of one size a bundle needs; an error when one of its objects is bigger than that.
pub(crate) fn volumes_of(
    objects: &[ObjectName],
    size: u64,
    every: u64,
) -> Result<usize, SpreadError> {
    let room = size.saturating_sub(every);
    let (mut volumes, mut left) = (1, room);
    for object in objects {
        let bytes = cost(object);
        if bytes > room {
            return Err(SpreadError::TooSmall {
                missing: bytes - room,
            });
        }
        if bytes > left {
            volumes += 1;
            left = room;
        }
        left -= bytes;
    }
    Ok(volumes)
}

fn evenly(objects: &[ObjectName], volumes: usize) -> Result<Vec<Vec<ObjectName>>, SpreadError> {
    if objects.is_empty() && volumes == 1 {
        return Ok(vec![Vec::new()]); // A delta of nothing but metadata.
    }
    if volumes == 0 || objects.len() < volumes {
        return Err(SpreadError::TooMany {
            needed: objects.len(),
            volumes,
        });
    }
    let total: u128 = objects.iter().map(|o| u128::from(o.size)).sum();
    let mut shares = vec![Vec::new()];
    let mut placed = 0_u128;
    for (at, object) in objects.iter().enumerate() {
        let left = objects.len() - at;
        let open = shares.len();
        let is_full = placed * volumes as u128 >= total * open as u128;
        let must_move = left <= volumes - open;
        let last = shares.last_mut().expect("there is always a share");
        if open < volumes && !last.is_empty() && (is_full || must_move) {
            shares.push(vec![*object]);
        } else {
            last.push(*object);
        }
        placed += u128::from(object.size);
    }
    Ok(shares)
}

fn fill(
    objects: &[ObjectName],
    capacities: &[u64],
    every: u64,
) -> Result<Vec<Vec<ObjectName>>, SpreadError> {
    let mut left = objects;
    let mut shares = Vec::new();
    for capacity in capacities {
        let mut room = capacity.saturating_sub(every);
        let fits = left
            .iter()
            .take_while(|object| match room.checked_sub(cost(object)) {
                Some(rest) => {
                    room = rest;
                    true
                }
                None => false,
            })
            .count();
        let (here, rest) = left.split_at(fits);
        left = rest;
        shares.push(here.to_vec());
    }
    if !left.is_empty() {
        return Err(SpreadError::TooSmall {
            missing: left.iter().map(cost).fold(0, u64::saturating_add),
        });
    }
    let needed = shares
        .iter()
        .filter(|share| !share.is_empty())
        .count()
        .max(1);
    if needed < shares.len() {
        return Err(SpreadError::TooMany {
            needed,
            volumes: shares.len(),
        });
    }
    Ok(shares)
}
