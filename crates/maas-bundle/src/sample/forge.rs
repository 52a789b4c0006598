//! Samples that say what their makers should not: changed and signed again, so that what is tested is the
//! check behind the signature.

use std::{collections::BTreeSet, path::Path};

use maas_types::{BillOfLading, Digest};
use serde_json::{Value, json};

use super::Sample;
use crate::{Content, MediaPath, PrivateKey, derived, digest_of, json as wire, volume::Assignment};

impl Sample {
    /// Changes the `signed` part of `metadata/<file>` on every volume and has `signers` sign it as it
    /// stands then.
    pub fn forge(&mut self, file: &str, signers: &[&PrivateKey], edit: impl Fn(&mut Value)) {
        let path = self.metadata(file);
        for media in &mut self.media {
            media.change(&path, |bytes| {
                let mut value: Value = serde_json::from_slice(bytes).unwrap_or_default();
                edit(&mut value["signed"]);
                value["signatures"] = signatures(&value["signed"], signers);
                *bytes = wire::pretty(&value);
            });
        }
    }

    /// Changes the text of the bill of lading, and has two keys sign for it.
    pub fn forge_bill(&mut self, edit: impl FnOnce(&mut String)) {
        let (path, bytes) = self.bill();
        let mut text = String::from_utf8(bytes).expect("a bill is text");
        edit(&mut text);
        let digest = digest_of(text.as_bytes());
        for media in &mut self.media {
            media.files.remove(&path);
            let path = MediaPath::bill(&self.bundle, &digest);
            let content = Content::from(text.clone().into_bytes());
            media.files.insert(path.as_str().to_owned(), content);
        }
        let keys = self.keys.clone();
        let targets = self.targets_file();
        self.forge(&targets, &[&keys[0], &keys[1]], |signed| {
            let bill = &mut signed["targets"]["bundle.json"];
            bill["length"] = json!(text.len());
            bill["hashes"]["sha256"] = json!(digest.hex());
        });
        self.derive();
    }

    /// Changes the bill of lading as JSON, and has two keys sign for it.
    pub fn forge_bill_value(&mut self, edit: impl FnOnce(&mut Value)) {
        self.forge_bill(|text| {
            let mut value: Value = serde_json::from_str(text).expect("a bill is JSON");
            edit(&mut value);
            *text = String::from_utf8(wire::pretty(&value)).expect("JSON is UTF-8");
        });
    }

    /// Puts other bytes in the place of a model's file, everywhere that its digest stands. One volume
    /// only, and only files that do not travel in parts.
    pub fn forge_model_file(&mut self, file: &str, name: &str, bytes: &[u8]) {
        let (_, bill) = self.bill();
        let bill: Value = serde_json::from_slice(&bill).expect("a bill is JSON");
        let files = bill["models"][0]["files"].as_array().cloned();
        let files = files.expect("a sample has a model");
        let old = files
            .iter()
            .find(|entry| entry["path"] == file)
            .and_then(|entry| entry["blob"].as_str()?.parse::<Digest>().ok())
            .expect("the sample has the file");
        let new = digest_of(bytes);
        let path = |digest| MediaPath::blob(&self.bundle, digest).as_str().to_owned();
        let (from, to) = (path(&old), path(&new));
        self.media[0].files.remove(&from);
        self.media[0].files.insert(to, bytes.into());
        self.forge_bill_value(|bill| {
            let files = bill["models"][0]["files"].as_array_mut();
            let files = files.expect("a sample has a model");
            for entry in &mut *files {
                if entry["path"] == file {
                    *entry = json!({"path": name, "blob": new.to_string()});
                }
            }
            files.sort_by_key(|entry| entry["path"].as_str().map(str::to_owned));
            let blobs = bill["blobs"].as_array_mut().expect("a bill has blobs");
            blobs.retain(|blob| blob["digest"] != json!(old.to_string()));
            blobs.push(json!({"digest": new.to_string(), "size": bytes.len()}));
            blobs.sort_by_key(|blob| blob["digest"].as_str().map(str::to_owned));
        });
    }

    /// The path of a metadata file on its volume.
    pub fn metadata(&self, file: &str) -> String {
        format!("MAAS/{}/metadata/{file}", self.bundle)
    }

    /// The bill of lading on the first volume: path and bytes.
    pub fn bill(&self) -> (String, Vec<u8>) {
        let media = &self.media[0];
        media
            .files
            .keys()
            .find(|path| path.ends_with(".bundle.json"))
            .and_then(|path| Some((path.clone(), media.bytes(path)?.to_vec())))
            .expect("a sample has a bill")
    }

    fn targets_file(&self) -> String {
        let media = &self.media[0];
        let names = media
            .files
            .keys()
            .filter_map(|path| Path::new(path).file_name()?.to_str());
        let mut names = names.filter(|name| name.ends_with(".targets.json"));
        names.next().expect("a sample has targets").to_owned()
    }

    /// Makes the derived files of the only volume again, where the bill still is one.
    fn derive(&mut self) {
        let (_, bytes) = self.bill();
        let ([media], Ok(bill)) = (
            &mut self.media[..],
            serde_json::from_slice::<BillOfLading>(&bytes),
        ) else {
            return;
        };
        if bill.bundle != self.bundle {
            return;
        }
        let digest = digest_of(&bytes);
        for file in derived::files(
            &bill,
            &digest,
            &Assignment::single(&bill, BTreeSet::new()),
            1,
        ) {
            let path = file.path.as_str().to_owned();
            media.files.insert(path, file.bytes.into());
        }
    }
}

fn signatures(signed: &Value, signers: &[&PrivateKey]) -> Value {
    let message = wire::canonical_value(signed).unwrap_or_default();
    let mut signatures: Vec<(String, String)> = signers
        .iter()
        .map(|key| {
            (
                key.public().id().to_string(),
                hex::encode(key.sign(&message)),
            )
        })
        .collect();
    signatures.sort();
    signatures
        .into_iter()
        .map(|(keyid, sig)| json!({"keyid": keyid, "sig": sig}))
        .collect()
}
