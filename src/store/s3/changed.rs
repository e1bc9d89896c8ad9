//! Checks after a failed attempt to send that the file still matches its checksums.

use super::{
    body,
    client::S3Store,
    encoding::unreadable,
    faults::{refused_bytes, status},
};
use crate::{
    aws::fault,
    blocking::threaded,
    fault::{Fault, FaultKind},
    store::{Content, PutError},
};
use aws_sdk_s3::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
};
use std::{error::Error, io};

impl S3Store {
    /// Returns the error of a failed attempt to send: `Changed` if the file no longer matches its checksums. `part`
    /// is the part that was sent; `None` if all parts were sent before.
    pub(super) async fn explain_failed_put<E>(
        &self,
        content: &Content,
        part: Option<usize>,
        doing: String,
        error: SdkError<E, HttpResponse>,
    ) -> PutError
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let refused = refused_bytes(&error) || body::did_not_match(&error);
        let conflict = status(&error) == Some(409);
        match self.unchanged(content, part, refused).await {
            Err(error) => error,
            // The file is right, so the bytes were damaged on the way.
            Ok(()) if refused => Fault::new(FaultKind::Unavailable, doing, error).into(),
            // Another write was in progress, whose outcome is unknown.
            Ok(()) if conflict => Fault::new(FaultKind::Contended, doing, error).into(),
            Ok(()) => fault(doing, error).into(),
        }
    }

    /// Returns an error unless the file still has its size and, if `closely`, the bytes of a part or of all its
    /// parts.
    pub(super) async fn unchanged(
        &self,
        content: &Content,
        part: Option<usize>,
        closely: bool,
    ) -> Result<(), PutError> {
        let checked = content.clone();
        let checking = threaded(move || {
            if !closely {
                return Ok(std::fs::metadata(checked.path())?.len() == checked.size());
            }
            match part {
                Some(part) => body::part_is_unchanged(&checked, part),
                None => Ok(Content::hash(checked.path(), &|_| ())? == checked),
            }
        });
        match checking.await {
            Ok(true) => Ok(()),
            Ok(false) => Err(PutError::Changed(content.path().to_owned())),
            // `InvalidData`: the file's length changed while it was hashed again.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidData) => {
                Err(PutError::Changed(content.path().to_owned()))
            }
            Err(error) => Err(unreadable(content, error).into()),
        }
    }
}
