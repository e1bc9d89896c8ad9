//! The importers of `import --from`, and their options.

use crate::{
    cli::{
        context::Context,
        error::{Failure, Kind},
    },
    location::{LedgerUrl, StoreUrl},
    model::PackageName,
    ops::{FilesOptions, Foreign, Order, Pattern, PythonTables},
    store::named::{DirectoryFiles, NamedFiles},
};
use serde_json::{Map, Value};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// The program that wrote the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum From {
    /// `sacker export`
    Sacker,
    /// Any program: SOURCE is a directory or `s3://BUCKET/PREFIX` with files whose names fit --pattern
    Files,
    /// `oras` or `skopeo`: SOURCE is an OCI image layout; each tag is an artifact with one layer
    OciLayout,
    /// The original sacker: SOURCE is `dynamodb://TABLE`, or the output of `aws dynamodb scan`; --blobs has its objects
    PythonSacker,
}

/// The order in which versions get their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum By {
    /// Their own numbers; other names are left out
    Number,
    /// By version: 1.9 is before 1.10, and 2.0-rc1 before 2.0
    Version,
    /// By the times of the files
    Time,
}

/// Options of the importers.
#[derive(Debug, clap::Args)]
pub(super) struct Importer {
    /// With --from files: the names of the files, such as '{package}/app-{version}.tar.gz'
    #[arg(long, value_name = "PATTERN")]
    pattern: Option<Pattern>,
    /// With --from files or oci-layout: the package, unless the pattern names it
    #[arg(long, value_name = "PACKAGE")]
    package: Option<PackageName>,
    /// With --from files or oci-layout: number the versions in this order [default: number if all are, or else version]
    #[arg(long, value_name = "ORDER", value_enum)]
    order: Option<By>,
    /// With --from python-sacker: the table of tags, as a file or a URL [default: `dynamodb://TABLE-tags` with a URL]
    #[arg(long, value_name = "SOURCE")]
    tags: Option<PathBuf>,
}

fn invalid(message: impl Into<String>) -> Failure {
    Failure::new(Kind::Invalid, message)
}

/// Returns the text of a path that is a URL.
fn url(path: &Path) -> Option<&str> {
    path.to_str().filter(|text| text.contains("://"))
}

impl Importer {
    /// Refuses options of another importer.
    pub fn check(&self, from: From) -> Result<(), Failure> {
        use self::From::{Files, OciLayout, PythonSacker};
        let given: [(&str, bool, &[From]); 4] = [
            ("--pattern", self.pattern.is_some(), &[Files]),
            ("--package", self.package.is_some(), &[Files, OciLayout]),
            ("--order", self.order.is_some(), &[Files, OciLayout]),
            ("--tags", self.tags.is_some(), &[PythonSacker]),
        ];
        let name = |from: &From| match from {
            From::Sacker => "sacker",
            Files => "files",
            OciLayout => "oci-layout",
            PythonSacker => "python-sacker",
        };
        for (option, is_given, of) in given {
            if is_given && !of.contains(&from) {
                let names: Vec<_> = of.iter().map(name).collect();
                return Err(invalid(format!("{option} is only for --from {}", names.join(" or "))));
            }
        }
        Ok(())
    }

    /// Reads what another program has stored.
    pub async fn read(
        self,
        from: From,
        source: &Path,
        blobs: Option<PathBuf>,
        context: &Context<'_>,
    ) -> Result<Foreign, Failure> {
        let doing = format!("reading {}", source.display());
        let Self { pattern, package, order, tags } = self;
        if from != From::PythonSacker && blobs.is_some() {
            return Err(invalid("--blobs is only for --from sacker or python-sacker"));
        }
        let order = match order {
            None => Order::Any,
            Some(By::Number) => Order::Number,
            Some(By::Version) => Order::Version,
            Some(By::Time) if from == From::OciLayout => {
                return Err(invalid("--order time is only for --from files: tags have no times"));
            }
            Some(By::Time) => Order::Time,
        };
        let policy = &context.retry_policy;
        let read = match from {
            From::OciLayout => {
                let package = package.ok_or_else(|| invalid("--from oci-layout needs --package"))?;
                let files = named_files(source, context).await?;
                Foreign::of_oci_layout(files, package, order, policy).await
            }
            From::PythonSacker => {
                let tags = tags.or_else(|| tags_of(source));
                let versions = rows(source, context).await?;
                let tags = match &tags {
                    Some(tags) => rows(tags, context).await?,
                    None => Vec::new(),
                };
                let objects = blobs.ok_or_else(|| {
                    invalid("--from python-sacker needs --blobs, the directory or s3:// URL of its objects")
                })?;
                let objects = named_files(&objects, context).await?;
                Ok(Foreign::of_python_sacker(PythonTables { versions, tags }, objects))
            }
            From::Sacker | From::Files => {
                let pattern = pattern.ok_or_else(|| invalid("--from files needs --pattern"))?;
                let options = FilesOptions::new(pattern).package(package).order(order);
                let files = named_files(source, context).await?;
                Foreign::of_files(files, &options, policy).await
            }
        };
        read.map_err(context.failed(&doing))
    }
}

/// Opens a directory, or what a URL names.
async fn named_files(path: &Path, context: &Context<'_>) -> Result<Arc<dyn NamedFiles>, Failure> {
    match url(path) {
        None => Ok(Arc::new(DirectoryFiles::new(path))),
        Some(url) => {
            let url: StoreUrl =
                url.parse().map_err(|error: crate::location::Error| invalid(error.to_string()))?;
            context.named_files(&url).await
        }
    }
}

/// Reads a table from a file, or from where a URL names it.
async fn rows(path: &Path, context: &Context<'_>) -> Result<Vec<Map<String, Value>>, Failure> {
    match url(path) {
        None => PythonTables::read(path).map_err(context.failed("reading a table")),
        Some(url) => {
            let url: LedgerUrl =
                url.parse().map_err(|error: crate::location::Error| invalid(error.to_string()))?;
            context.rows(&url).await
        }
    }
}

/// Returns the URL of the table of tags that belongs to a table.
fn tags_of(source: &Path) -> Option<PathBuf> {
    let LedgerUrl::Dynamo { table, endpoint } = url(source)?.parse().ok()? else { return None };
    Some(LedgerUrl::Dynamo { table: format!("{table}-tags"), endpoint }.to_string().into())
}
