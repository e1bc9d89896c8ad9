//! `import --from oci-layout`: the tags of an [OCI image
//! layout](https://github.com/opencontainers/image-spec/blob/main/image-layout.md), each of which is an artifact with
//! one layer.
//!
//! A tag that begins with a digit, or with a `v` and a digit, is the name of a version. Any other tag becomes a tag on
//! the version with the same manifest.

use super::{
    contents::{Foreign, ForeignVersion},
    fetch::read_small,
    files::message,
    numbering::{Candidate, Order, is_version_name, numbered},
};
use crate::{
    model::{Digest, FileName, PackageName, TagName, Timestamp, Version},
    ops::error::Error,
    retry::RetryPolicy,
    store::named::NamedFiles,
};
use serde::Deserialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// The most bytes of an index or a manifest: the limit that registries have.
const MOST: u64 = 4 << 20;

const TAG: &str = "org.opencontainers.image.ref.name";
const TITLE: &str = "org.opencontainers.image.title";

/// A reference to a blob.
#[derive(Debug, Clone, Deserialize)]
struct Descriptor {
    digest: String,
    size: u64,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
struct Index {
    manifests: Vec<Descriptor>,
}

#[derive(Debug, Deserialize)]
struct Manifest {
    layers: Vec<Descriptor>,
}

/// Returns the name of a blob's file. Only names that are made of a digest are ever opened.
fn blob(descriptor: &Descriptor) -> Result<(Digest, String), String> {
    let digest = descriptor.digest.strip_prefix("sha256:").and_then(|hex| hex.parse::<Digest>().ok());
    let digest = digest.ok_or_else(|| format!("its digest {:?} is no sha256", descriptor.digest))?;
    let name = format!("blobs/sha256/{digest}");
    Ok((digest, name))
}

impl Foreign {
    /// Reads the index and the manifests of an image layout, and makes a version of each tag that names one.
    ///
    /// # Errors
    /// [`Error::Input`] unless there is an image layout; those of reading it.
    pub async fn of_oci_layout(
        files: Arc<dyn NamedFiles>,
        package: PackageName,
        order: Order,
        retry_policy: &RetryPolicy,
    ) -> Result<Self, Error> {
        let input = |why: String| Error::Input { path: files.describe().into(), why };
        let index = read_small(&*files, "index.json", MOST, retry_policy).await?;
        let marker = read_small(&*files, "oci-layout", MOST, retry_policy).await?;
        let (Some(index), Some(_)) = (index, marker) else {
            return Err(input("it is no OCI image layout: it has no oci-layout and index.json".to_owned()));
        };
        let index: Index =
            serde_json::from_slice(&index).map_err(|error| input(format!("its index.json: {error}")))?;
        let mut foreign = Self::new(Arc::clone(&files));
        let (mut candidates, mut others) = (Vec::new(), Vec::new());
        let (mut digests, mut seen) = (BTreeMap::new(), BTreeSet::new());
        for descriptor in index.manifests {
            let Some(tag) = descriptor.annotations.get(TAG).cloned() else {
                foreign.leave_out(&descriptor.digest, "it has no tag");
                continue;
            };
            if !seen.insert(tag.clone()) {
                foreign.leave_out(&tag, "the tag is given twice");
                continue;
            }
            if !is_version_name(&tag) {
                others.push((tag, descriptor.digest));
                continue;
            }
            match foreign.artifact(&tag, &descriptor, retry_policy).await? {
                Ok(artifact) => {
                    // The message has the tag and the digest of the manifest.
                    digests.insert(artifact.message.as_ref().map(ToString::to_string), descriptor.digest);
                    let modified = Timestamp::from_millis(0);
                    candidates.push(Candidate { version: tag, modified, foreign: artifact });
                }
                Err(why) => foreign.leave_out(&tag, &why),
            }
        }
        let versions = numbered(candidates, order, &mut foreign.differences);
        let mut tagged = BTreeMap::new();
        for (tag, digest) in others {
            let has = |it: &ForeignVersion| digests.get(&it.message.as_ref().map(ToString::to_string));
            let on = versions.iter().filter(|(_, it)| has(it) == Some(&digest));
            match place(&tag, on.map(|(number, _)| *number).next_back()) {
                Ok((tag, number)) => {
                    tagged.insert(tag, number);
                }
                Err(why) => foreign.leave_out(&tag, &why),
            }
        }
        if !versions.is_empty() {
            foreign.packages.insert(package.clone(), versions);
            foreign.tags.insert(package, tagged);
        }
        foreign.note_gaps();
        Ok(foreign)
    }

    fn leave_out(&mut self, tag: &str, why: &str) {
        self.differences.push(format!("{tag} is left out: {why}"));
    }

    /// Reads the manifest of a tag. Returns the version of its one layer, or why there is none.
    async fn artifact(
        &mut self,
        tag: &str,
        descriptor: &Descriptor,
        retry_policy: &RetryPolicy,
    ) -> Result<Result<ForeignVersion, String>, Error> {
        let (digest, name) = match blob(descriptor) {
            Ok(named) => named,
            Err(why) => return Ok(Err(why)),
        };
        let Some(manifest) = read_small(&*self.files, &name, MOST, retry_policy).await? else {
            return Ok(Err(format!("its manifest {digest} is not there, or above {MOST} bytes")));
        };
        if Digest::of(&manifest) != digest {
            return Ok(Err(format!("its manifest is not {digest}")));
        }
        let Ok(manifest) = serde_json::from_slice::<Manifest>(&manifest) else {
            return Ok(Err(
                "it is no manifest with layers; an image for several platforms has none".to_owned()
            ));
        };
        let [layer] = manifest.layers.as_slice() else {
            let layers = manifest.layers.len();
            return Ok(Err(format!("it has {layers} layers; only an artifact with one is a version")));
        };
        let (sha256, name) = match blob(layer) {
            Ok(named) => named,
            Err(why) => return Ok(Err(why)),
        };
        let filename = layer.annotations.get(TITLE).and_then(|title| match title.parse::<FileName>() {
            Ok(name) => Some(name),
            Err(error) => {
                self.differences.push(format!("{tag}: its title is not carried: {error}"));
                None
            }
        });
        let (message, is_identified) = message(&*self.files, &descriptor.digest, Some(&format!("tag {tag}")));
        Ok(Ok(ForeignVersion {
            size: Some(layer.size),
            sha256: Some(sha256),
            filename,
            message,
            is_identified,
            title: Some(tag.to_owned()),
            ..ForeignVersion::new(name)
        }))
    }
}

/// Returns a tag and the version that it is put on, or why there is none.
fn place(tag: &str, on: Option<Version>) -> Result<(TagName, Version), String> {
    let on = on.ok_or("it names no version, and no version has its manifest")?;
    Ok((tag.parse::<TagName>().map_err(|error| error.to_string())?, on))
}
