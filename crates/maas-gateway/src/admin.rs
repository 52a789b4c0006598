//! The administrative API: JSON over a Unix socket that only its owner and root can use.
//!
//! | method and path | takes | gives |
//! |---|---|---|
//! | `GET /admin/v1/status` | | [`Status`] |
//! | `GET /admin/v1/teams` | | `[TeamRecord]` |
//! | `POST /admin/v1/teams` | `NewTeam` | `TeamRecord` |
//! | `PUT /admin/v1/teams/{team}` | `TeamSettings` | `TeamRecord` |
//! | `POST /admin/v1/teams/{team}/disable` | | `Revocation` |
//! | `POST /admin/v1/teams/{team}/enable` | | `TeamRecord` |
//! | `GET /admin/v1/keys?team=` | | `[KeyRecord]` |
//! | `POST /admin/v1/keys` | `NewKey` | [`CreatedKey`]: the secret, this once |
//! | `POST /admin/v1/keys/{id}/revoke` | | `Revocation` |
//! | `GET /admin/v1/usage?by=&from=&to=` | | `UsageReport` |
//!
//! Errors are [`Problem`]s. The types without a link are `maas-keys`' own.

mod api;
mod client;
mod socket;
mod wire;

pub use client::{Client, ClientError};
pub(crate) use socket::{AdminSocket, serve};
pub use wire::{CreatedKey, EngineStatus, EngineTableStatus, Listeners, Problem, Status};
