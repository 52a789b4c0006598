//! Doing what the plan says. Every step may be repeated, so an interrupted installation is continued
//! by running it again; until the switch the old generation serves, and from the switch on the new.

use jiff::Timestamp;
use maas_bundle::Media;
use maas_store::{
    Generation, Ingested, Lock, MissingBytes, Progress, Store, StoreError, StoredRoot, TrustDb,
    atomic,
};

use crate::{
    Change, InstallError, Laid, Outcome, Plan, Receipt, RollbackReceipt, Seat, Started, Step,
    StepTime, Trial, models, receipt::Signed, seat,
};

/// What an installation tells while it works.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// A step begins.
    Step {
        /// Which, from 1.
        number: usize,
        /// Of how many.
        of: usize,
        /// What it does.
        step: &'a Step,
    },
    /// An image is unpacked.
    Image(maas_image::Progress),
    /// Blobs come in.
    Blobs(Progress),
}

/// Applies a plan. `clock` tells the time, for the record and for the durations in it.
///
/// The lock must be this appliance's, and the plan's facts should be gathered under it: what another
/// installation did in between is found out by the steps themselves, but later.
pub fn apply(
    plan: &Plan<'_>,
    lock: &Lock,
    media: &[&dyn Media],
    clock: &dyn Fn() -> Timestamp,
    progress: &mut dyn FnMut(Event<'_>),
) -> Result<Receipt, InstallError> {
    plan.ready()?;
    let mut run = Run {
        plan,
        lock,
        media,
        db: TrustDb::open(lock)?,
        started: clock(),
        // By its name: a generation that is damaged can be replaced.
        previous: Generation::current_id(lock.layout())?,
        ingested: Ingested::default(),
        generation: None,
        times: Vec::new(),
        laid: Vec::new(),
        services: None,
    };
    for (step, number) in plan.steps.iter().zip(1..) {
        progress(Event::Step {
            number,
            of: plan.steps.len(),
            step,
        });
        let before = clock();
        run.step(step, clock, progress)?;
        run.times.push(StepTime {
            step: step.title(),
            duration_ms: milliseconds(before, clock()),
        });
    }
    run.receipt(clock())
}

/// Stores what is on these volumes and not here, and says what is still missing: the volumes of a bundle
/// may come one after the other, in any order. Nothing is activated.
pub fn take_volume(
    plan: &Plan<'_>,
    lock: &Lock,
    media: &[&dyn Media],
    progress: &mut dyn FnMut(Progress),
) -> Result<(Ingested, Option<MissingBytes>), InstallError> {
    plan.ready_for_a_volume()?;
    let db = TrustDb::open(lock)?;
    let store = Store::new(lock.layout());
    Ok(store.ingest_available(lock, &db, plan.verified(), media, progress)?)
}

/// Goes back to the generation that was installed before the one that serves. Floors stay.
pub fn rollback(lock: &Lock) -> Result<RollbackReceipt, InstallError> {
    let db = TrustDb::open(lock)?;
    let place = Seat::of(lock.layout());
    if place == Seat::Host {
        // The units and the binary of the release that is gone back to, before it serves.
        let (_, target) = Generation::before(lock.layout(), &db)?;
        target.check()?;
        seat::lay_by(&target.binary())?;
    }
    let done = Generation::rollback(lock, &db)?;
    Trial::end(lock)?;
    if place == Seat::Host {
        seat::services()?;
    }
    Ok(RollbackReceipt {
        schema: RollbackReceipt::SCHEMA.to_owned(),
        from: done.from,
        to: done.to,
        bundle: Generation::open(lock.layout(), &done.to)?.bundle().clone(),
        epoch_floor: db.floors()?.epoch,
    })
}

/// One application of a plan.
struct Run<'a> {
    plan: &'a Plan<'a>,
    lock: &'a Lock,
    media: &'a [&'a dyn Media],
    db: TrustDb,
    started: Timestamp,
    previous: Option<maas_types::GenerationId>,
    ingested: Ingested,
    generation: Option<Generation>,
    times: Vec<StepTime>,
    laid: Vec<Laid>,
    services: Option<Started>,
}

impl Run<'_> {
    fn step(
        &mut self,
        step: &Step,
        clock: &dyn Fn() -> Timestamp,
        progress: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), InstallError> {
        match step {
            Step::Roots { .. } => self.roots(clock()),
            Step::Blobs { .. } => self.blobs(progress),
            Step::Models { .. } => {
                let store = Store::new(self.lock.layout());
                models::check(&store, self.plan.verified().bill())
            }
            Step::Floors { .. } => self.floors(),
            Step::Generation { .. } => self.assemble(clock()),
            Step::Image { name, manifest } => self.unpack(name, manifest, progress),
            Step::Trial { seconds } => self.begin_trial(*seconds, clock()),
            Step::Switch { .. } => self.switch(),
            Step::Seat => self.take_seat(),
            Step::Services => {
                self.services = Some(seat::services()?);
                Ok(())
            }
            Step::Receipt => self.write_receipt(clock()),
        }
    }

    /// Another installation may have gone by between verification and lock: its epoch counts.
    fn roots(&self, now: Timestamp) -> Result<(), InstallError> {
        let bundle = self.plan.verified();
        let name = match self.db.newest_root()? {
            Some(root) => root.name,
            None => String::new(),
        };
        let roots: Vec<_> = bundle
            .new_roots()
            .iter()
            .map(|root| StoredRoot {
                root: root.clone(),
                name: name.clone(),
                added: now,
            })
            .collect();
        let recovered = bundle.recovered_floors();
        self.db.add_roots(self.lock, &roots, recovered)?;
        let (floor, found) = (self.db.floors()?.epoch, bundle.bill().epoch);
        if found < floor {
            let what = "epoch";
            return Err(StoreError::BelowFloor { what, floor, found }.into());
        }
        Ok(())
    }

    fn blobs(&mut self, progress: &mut dyn FnMut(Event<'_>)) -> Result<(), InstallError> {
        let store = Store::new(self.lock.layout());
        self.ingested = store.ingest(
            self.lock,
            &self.db,
            self.plan.verified(),
            self.media,
            &mut |event| progress(Event::Blobs(event)),
        )?;
        Ok(())
    }

    fn floors(&self) -> Result<(), InstallError> {
        let root = match self.db.newest_root()? {
            Some(root) => root.root.version(),
            None => 0,
        };
        let floors = self.plan.verified().next_floors();
        Ok(self.db.raise_floors(self.lock, root, floors)?)
    }

    fn assemble(&mut self, now: Timestamp) -> Result<(), InstallError> {
        // The trusted clock: a clock that lags behind what this host has already seen is wrong.
        let now = now.max(self.db.floors()?.time);
        let bundle = self.plan.verified();
        let generation = Generation::assemble(self.lock, &self.db, bundle, now)?;
        self.generation = Some(generation);
        Ok(())
    }

    /// From the generation's own layout; what is there already is taken as it is.
    fn unpack(
        &self,
        name: &maas_types::ImageName,
        manifest: &maas_types::Digest,
        progress: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), InstallError> {
        let images = self.generation.as_ref().map_or(&[][..], Generation::images);
        let Some(image) = images.iter().find(|image| image.name == *name) else {
            return Ok(());
        };
        let layout = self.lock.layout();
        self.lock
            .disk()
            .make_folder(&layout.images())
            .map_err(StoreError::from)?;
        // All of it is root's: an owner of the image would be whichever user of the host has that number.
        // Devices are left out: an engine's come from the host.
        let policy = maas_image::Policy {
            ownership: maas_image::Ownership::Own,
            devices: maas_image::Devices::Skip,
            ..maas_image::Policy::for_root()
        };
        let into = layout.image(manifest);
        maas_image::unpack(&image.folder, manifest, &into, &policy, &mut |done| {
            progress(Event::Image(done));
        })?;
        Ok(())
    }

    fn begin_trial(&self, seconds: u64, now: Timestamp) -> Result<(), InstallError> {
        let (Some(from), Some(to)) = (self.previous, &self.generation) else {
            return Ok(());
        };
        if from == to.id() {
            return Ok(());
        }
        let table = engine_table(self.lock.layout());
        Trial::of(from, to, table.as_ref(), seconds, now).begin(self.lock)
    }

    fn take_seat(&mut self) -> Result<(), InstallError> {
        if let Some(generation) = &self.generation {
            self.laid = seat::lay_by(&generation.binary())?;
        }
        Ok(())
    }

    fn switch(&self) -> Result<(), InstallError> {
        match &self.generation {
            Some(generation) if self.previous != Some(generation.id()) => {
                Ok(generation.switch(self.lock, &self.db)?)
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Where all was there, the receipt of the first time stays.
    fn write_receipt(&self, now: Timestamp) -> Result<(), InstallError> {
        let receipt = self.receipt(now)?;
        let folder = self.lock.layout().receipts();
        let path = folder.join(format!("{}.json", receipt.generation));
        if receipt.outcome == Outcome::AlreadyInstalled && path.is_file() {
            return Ok(());
        }
        let mut text = serde_json::to_vec_pretty(&receipt).map_err(|error| InstallError::Fact {
            what: "how to write the receipt".to_owned(),
            source: error.into(),
        })?;
        text.push(b'\n');
        self.lock.disk().make_folder(&folder)?;
        let access = atomic::Access::Public;
        Ok(atomic::replace_on(self.lock.disk(), &path, &text, access)?)
    }

    fn receipt(&self, finished: Timestamp) -> Result<Receipt, InstallError> {
        let (bundle, bill) = (self.plan.verified(), self.plan.verified().bill());
        let generation = match &self.generation {
            Some(generation) => generation.id(),
            None => return Err(no_current(self.lock)),
        };
        let root = self.db.newest_root()?;
        let unchanged = self.previous == Some(generation) && self.ingested.blobs_written == 0;
        let signers = bundle.signers().iter().map(|(role, keys)| Signed {
            role: role.as_str().to_owned(),
            keys: keys.iter().map(ToString::to_string).collect(),
        });
        Ok(Receipt {
            schema: Receipt::SCHEMA.to_owned(),
            outcome: if unchanged {
                Outcome::AlreadyInstalled
            } else {
                Outcome::Installed
            },
            bundle: bill.bundle.clone(),
            version: bill.version.clone(),
            epoch: bill.epoch,
            bill_digest: *bundle.bill_digest(),
            generation,
            previous: self.previous,
            root_fingerprint: root
                .as_ref()
                .map_or_else(String::new, |root| root.root.fingerprint().to_string()),
            root_version: root.as_ref().map_or(0, |root| root.root.version()),
            signers: signers.collect(),
            accepted_expired: bundle
                .accepted_expired()
                .map(|expired| expired.reason.clone()),
            expired: bundle
                .accepted_expired()
                .map_or_else(Vec::new, |expired| expired.files.clone()),
            accepted: self
                .plan
                .findings
                .iter()
                .filter_map(|f| Some((f.id.to_owned(), f.accepted.clone()?)))
                .collect(),
            volumes: self.media.iter().map(|m| m.label().to_owned()).collect(),
            blobs: self.ingested,
            seat: self
                .laid
                .iter()
                .filter(|laid| laid.change != Change::Keep)
                .cloned()
                .collect(),
            services: self.services,
            started: self.started,
            finished,
            steps: self.times.clone(),
        })
    }
}

/// What the supervisor says; nothing, where none runs.
fn engine_table(layout: &maas_types::Layout) -> Option<maas_types::EngineTable> {
    let bytes = fs_err::read(layout.engine_table()).ok()?;
    serde_json::from_slice(&bytes).ok()
}

fn no_current(lock: &Lock) -> InstallError {
    InstallError::Store(StoreError::NoCurrent {
        path: lock.layout().current(),
    })
}

/// A clock that was set back in between gives 0, not a negative time.
fn milliseconds(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.duration_since(from).as_millis()).unwrap_or(0)
}
