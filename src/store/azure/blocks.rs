//! Blobs of several blocks: sent concurrently, each retried on its own, and committed at once.
//!
//! A block's name contains its checksum, so a block that an interrupted upload left, or that another client sends at
//! the same time, is the right one.

use super::{
    AzureStore,
    compare::{CHECKSUM, Found, ROUNDS, explained, look, unreadable},
    requests::encoded,
};
use crate::{
    failpoint::reach,
    fault::{Fault, FaultKind},
    retry::{self, Concurrency, RetryHint, Retryable},
    store::{Content, Put, PutError, Sent, body, sending::ProgressSender},
};
use aws_smithy_types::body::SdkBody;
use crc_fast::CrcAlgorithm::Crc64Nvme;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde::Deserialize;
use std::{collections::HashMap, fmt};

/// An upload of a content to a path.
struct Transfer<'a> {
    store: &'a AzureStore,
    path: &'a str,
    content: &'a Content,
    buffers: body::Buffers,
    progress: ProgressSender,
}

/// Puts a blob, unless it exists.
pub(super) async fn put(
    store: &AzureStore,
    path: &str,
    content: &Content,
    progress: ProgressSender,
) -> Result<Put, PutError> {
    let transfer = Transfer { store, path, content, buffers: body::Buffers::default(), progress };
    for _ in 0..ROUNDS {
        let found = look(store, path, content, &transfer.progress).await?;
        let Some(condition) = found.condition() else { return Ok(Put::Present) };
        let there = transfer.there().await?;
        transfer.send(there).await?;
        reach("parts-sent");
        if transfer.commit(condition).await? {
            reach("parts-completed");
            return Ok(if matches!(found, Found::Nothing) { Put::Stored } else { Put::Replaced });
        }
    }
    if matches!(look(store, path, content, &transfer.progress).await?, Found::Content) {
        return Ok(Put::Present);
    }
    Err(Fault::new(FaultKind::Contended, transfer.doing(), "it was replaced or removed repeatedly").into())
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct BlockList {
    uncommitted_blocks: Blocks,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Blocks {
    #[serde(rename = "Block")]
    blocks: Vec<Block>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Block {
    name: String,
    size: u64,
}

/// Returns the name of a block: all names of a blob have the same length.
fn name(index: usize, crc: u64) -> String {
    aws_smithy_types::base64::encode(format!("{index:05}-{crc:016x}"))
}

impl Transfer<'_> {
    fn doing(&self) -> String {
        self.store.doing(format_args!("storing {}", self.path))
    }

    /// Returns the sizes of the blocks that were sent before and not committed, by name.
    async fn there(&self) -> Result<HashMap<String, u64>, Fault> {
        let doing = || self.doing();
        let request = self.store.service.request(
            "GetBlockList",
            "GET",
            self.path,
            "comp=blocklist&blocklisttype=uncommitted",
        );
        let answer = match request.ok(doing).await? {
            Ok(answer) => answer,
            Err(refusal) if refusal.is_missing() => return Ok(HashMap::new()),
            Err(refusal) => return Err(refusal.fault(doing)),
        };
        let text = answer.bytes(doing).await?;
        let text = String::from_utf8_lossy(&text);
        let list: BlockList = quick_xml::de::from_str(text.trim_start_matches('\u{feff}'))
            .map_err(|error| Fault::new(FaultKind::Unexpected, doing(), error))?;
        let blocks = list.uncommitted_blocks.blocks.into_iter();
        Ok(blocks.map(|block| (block.name, block.size)).collect())
    }

    /// Sends the blocks that are missing. A block that fails transiently is retried on its own.
    async fn send(&self, there: HashMap<String, u64>) -> Result<(), PutError> {
        let (mut before, mut missing) = (0, Vec::new());
        for (index, crc) in self.content.part_crcs().iter().enumerate() {
            let range = body::part_range(self.content, index);
            let size = range.end - range.start;
            if there.get(&name(index, *crc)) == Some(&size) {
                before += size;
            } else {
                missing.push((index, *crc, size));
            }
        }
        if before > 0 {
            let _ = self.progress.send(Sent::Before(before));
        }
        let concurrency = Concurrency::new(self.store.jobs);
        stream::iter(missing)
            .map(|(index, crc, size)| self.block(index, crc, size, &concurrency))
            .buffer_unordered(concurrency.most())
            .try_collect::<Vec<()>>()
            .await
            .map_err(|Failed(error)| error)
            .map(drop)
    }

    async fn block(
        &self,
        index: usize,
        crc: u64,
        size: u64,
        concurrency: &Concurrency,
    ) -> Result<(), Failed> {
        let doing = format!("block {} of {}", index + 1, self.doing());
        let count = body::Count::new(self.progress.clone());
        let attempt = || {
            concurrency.run(body::BUFFERED, |flow| self.try_block(index, crc, size, count.clone().over(flow)))
        };
        retry::part(&doing, attempt).await?;
        let _ = self.progress.send(Sent::Kept(size));
        Ok(())
    }

    async fn try_block(&self, index: usize, crc: u64, size: u64, count: body::Count) -> Result<(), Failed> {
        let doing = || self.doing();
        let sent = body::body(self.content, index, &self.buffers, count)
            .map_err(|error| Failed(unreadable(self.content, error)))?;
        let id: String = url::form_urlencoded::byte_serialize(name(index, crc).as_bytes()).collect();
        let request =
            self.store.service.request("PutBlock", "PUT", self.path, &format!("comp=block&blockid={id}"));
        let fault = match request.body(sent.into_inner(), size, crc).ok(doing).await {
            Ok(Ok(_)) => return Ok(()),
            Ok(Err(refusal)) => refusal.fault(doing),
            Err(fault) => fault,
        };
        if fault.kind == FaultKind::Unavailable {
            return Err(Failed(explained(self.content, index, fault).await));
        }
        Err(Failed(fault.into()))
    }

    /// Makes the blob of its blocks, if it is still as it was found. Returns false if not, or if the blocks are gone.
    async fn commit(&self, (header, value): (&'static str, &str)) -> Result<bool, Fault> {
        let doing = || self.doing();
        let mut list = "<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>".to_owned();
        for (index, crc) in self.content.part_crcs().iter().enumerate() {
            list.extend(["<Uncommitted>", &name(index, *crc), "</Uncommitted>"]);
        }
        list.push_str("</BlockList>");
        let (length, crc) = (list.len() as u64, crc_fast::checksum(Crc64Nvme, list.as_bytes()));
        let request = self
            .store
            .service
            .request("PutBlockList", "PUT", self.path, "comp=blocklist")
            .header(header, value);
        let request = request.header(CHECKSUM, encoded(self.content.crc()));
        match request.body(SdkBody::from(list), length, crc).ok(doing).await? {
            Ok(_) => Ok(true),
            Err(refusal) if refusal.is_unmet() || refusal.is_missing() => Ok(false),
            // Another client has committed them, or put the blob in one request.
            Err(refusal) if refusal.code == "InvalidBlockList" => Ok(false),
            Err(refusal) => Err(refusal.fault(doing)),
        }
    }
}

/// The failure of a block.
struct Failed(PutError);

impl Retryable for Failed {
    fn retry_hint(&self) -> RetryHint {
        self.0.retry_hint()
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
