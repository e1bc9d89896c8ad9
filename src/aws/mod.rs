//! AWS SDK clients and the meaning of their errors; no other module builds clients.
//!
//! All of AWS's [standard configuration](https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html)
//! applies as the SDK reads it: profiles, regions, endpoints, SSO, roles, `credential_process`. Explicit settings
//! take precedence.

mod ahead;
mod caller;
mod causes;
mod codes;
mod connecting;
mod credentials;
mod date;
mod expired;
mod fault;
mod http;
#[cfg(feature = "weak-s3-ledger")]
mod objects;
#[cfg(feature = "azure")]
mod other;
mod permissions;
mod proxies;
mod refusal;
mod stall;
mod stated;
mod trust;
mod watched;

pub(crate) use ahead::ConnectOnly;
pub(crate) use expired::is_expired;
pub(crate) use fault::BUSY;
pub use fault::fault;
#[cfg(feature = "weak-s3-ledger")]
pub use objects::{Objects, S3Objects};
pub(crate) use stated::Clock;

pub use crate::endpoint::Endpoint;
use crate::{
    clock::ServerTime,
    endpoint::{has_credentials, without_credentials},
    fault::{Fault, FaultKind},
};
use aws_config::{
    BehaviorVersion, Region, SdkConfig, environment::EnvironmentVariableRegionProvider,
    identity::IdentityCache, imds, meta::region::RegionProviderChain, profile::ProfileFileRegionProvider,
    retry::RetryConfig, stalled_stream_protection::StalledStreamProtectionConfig, timeout::TimeoutConfig,
};
use aws_credential_types::{Credentials, Token};
#[cfg(feature = "s3")]
use aws_sdk_s3::config::{RequestChecksumCalculation, ResponseChecksumValidation};
use aws_types::{origin::Origin, service_config::ServiceConfigKey};
use credentials::{Found, Settings};
use date::Dated;
use expired::Renewing;
use http::Http;
use std::{path::Path, sync::Arc, time::Duration};
use tokio::sync::OnceCell;
use url::Url;

/// The longest time to connect to a server; the SDK's own value is about the same.
const CONNECT: Duration = Duration::from_secs(3);
/// The longest time without progress on a connection to DynamoDB while an answer is expected. Its answers take
/// milliseconds, and the whole request is sent again under the same token.
const DYNAMODB_STALLED: Duration = Duration::from_secs(2);
/// The longest time for one attempt of a request to DynamoDB: a page of 1 MB takes as long at 280 kbit/s. Slower
/// answers are requested in smaller pages, and a server that sends one byte at a time can't delay a caller for
/// longer.
const DYNAMODB_ATTEMPT: Duration = Duration::from_secs(30);
/// The longest time for one attempt of a request that creates or changes a table.
const DYNAMODB_CONTROL_ATTEMPT: Duration = Duration::from_secs(10);
/// The longest time without progress on a connection to S3 while data is expected; see [`stall`] for the additional
/// time of an upload or a completion.
const S3_STALLED: Duration = Duration::from_secs(20);

/// The source of SDK clients. Clones share connections and credentials.
///
/// Credentials are found when the first client is built, and renewed as they expire. TLS is set up when the first
/// client with an `https` address is built, concurrently with other work, or when the first such request is sent;
/// otherwise never.
#[derive(Debug, Clone)]
pub struct Aws {
    http: Http,
    standard: Arc<OnceCell<SdkConfig>>,
    credentials: Arc<OnceCell<Found>>,
    // The value is in the HTTP client.
    trusted: Arc<OnceCell<()>>,
    dynamodb_time: ServerTime,
}

impl Aws {
    /// Returns a source of clients with AWS's standard configuration.
    #[must_use]
    pub fn standard() -> Self {
        Self::new(OnceCell::new())
    }

    /// Returns a source of clients with these credentials, regardless of the standard configuration.
    #[must_use]
    pub fn with_credentials(access_key_id: &str, secret_access_key: &str) -> Self {
        let keys = Credentials::new(access_key_id, secret_access_key, None, None, "explicit");
        Self::new(OnceCell::new_with(Some(Found::Fixed(keys))))
    }

    fn new(credentials: OnceCell<Found>) -> Self {
        let (http, standard, trusted) = (Http::default(), Arc::default(), Arc::default());
        let dynamodb_time = ServerTime::default();
        Self { http, standard, credentials: Arc::new(credentials), trusted, dynamodb_time }
    }

    /// Returns a client of DynamoDB. The client makes one attempt and never retries: retries are the caller's
    /// decision, since a failed condition after a hidden retry may be caused by the caller's own success. An attempt
    /// ends when nothing moves for 2 s, so that a large page may arrive over a slow link, and after 30 s in any case.
    ///
    /// # Errors
    /// [`FaultKind::Denied`] without credentials; [`FaultKind::Misconfigured`] without a region or with an invalid
    /// address; [`FaultKind::Unsent`] if the credentials come from a service that does not answer.
    #[cfg(feature = "dynamodb")]
    pub async fn dynamodb(&self, at: &Endpoint) -> Result<aws_sdk_dynamodb::Client, Fault> {
        let sdk = self.configuration(at, "DynamoDB").await?;
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT)
            .read_timeout(DYNAMODB_STALLED)
            .operation_attempt_timeout(DYNAMODB_ATTEMPT);
        let config = aws_sdk_dynamodb::config::Builder::from(&sdk)
            .http_client(self.client(self.dynamodb_time.clone()))
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts.build());
        Ok(aws_sdk_dynamodb::Client::from_conf(config.build()))
    }

    /// Returns DynamoDB's time, as stated by the answers to all clients from [`dynamodb`](Self::dynamodb).
    #[must_use]
    pub fn dynamodb_time(&self) -> ServerTime {
        self.dynamodb_time.clone()
    }

    /// Returns a client of S3. The client makes one attempt and never retries: retries are the decision of the
    /// caller, whose [`RetryPolicy`](crate::retry::RetryPolicy) bounds the number of attempts and the time.
    /// Connecting may take 3 s. After that the whole request has no limit, since a large body on a slow link takes
    /// long; but the time in which nothing moves has one: 20 s, more after a large body and for a
    /// `CompleteMultipartUpload`, and never more than the rest of the deadline of the attempt that the request
    /// belongs to (see [`Limit`](crate::retry::Limit)).
    ///
    /// A custom endpoint is addressed by path (buckets need no DNS there). If it is not AWS's, checksums are sent and
    /// checked only if a request asks for them, since [other servers refuse the default
    /// ones](https://github.com/awslabs/aws-sdk-rust/issues/1240); the standard configuration's settings for
    /// checksums take precedence.
    ///
    /// # Errors
    /// The same as [`dynamodb`](Self::dynamodb).
    #[cfg(feature = "s3")]
    pub async fn s3(&self, at: &Endpoint) -> Result<aws_sdk_s3::Client, Fault> {
        let sdk = self.configuration(at, "S3").await?;
        let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT).read_timeout(S3_STALLED);
        let mut config = aws_sdk_s3::config::Builder::from(&sdk)
            // The store does not use this client's time.
            .http_client(self.client(ServerTime::default()))
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts.build())
            // The client's own protection considers the caller's deadline. The SDK's mistakes a working server for a
            // stalled one (https://github.com/awslabs/aws-sdk-rust/issues/1146, 1202).
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
        if let Some(url) = effective_url(&sdk, at, "S3") {
            config = config.force_path_style(true);
            // The SDK can't distinguish a setting from its default, so the configuration is read here.
            let unset = |variable, key| !is_aws(&url) && configured(&sdk, "S3", variable, key).is_none();
            if unset("AWS_REQUEST_CHECKSUM_CALCULATION", "request_checksum_calculation") {
                config = config.request_checksum_calculation(RequestChecksumCalculation::WhenRequired);
            }
            if unset("AWS_RESPONSE_CHECKSUM_VALIDATION", "response_checksum_validation") {
                config = config.response_checksum_validation(ResponseChecksumValidation::WhenRequired);
            }
        }
        Ok(aws_sdk_s3::Client::from_conf(config.build()))
    }

    /// Returns the HTTP client of requests to one server, whose time is recorded.
    fn client(&self, time: ServerTime) -> Renewing {
        let held = self.credentials.get().and_then(Found::held).cloned();
        Renewing { inner: Dated { http: self.http.clone(), time }, held }
    }

    async fn configuration(&self, at: &Endpoint, service: &str) -> Result<SdkConfig, Fault> {
        let doing = format!("connecting to {service}");
        let standard = self.standard.get_or_init(|| self.load()).await;
        self.trusted.get_or_try_init(|| async { self.trust(standard, &doing) }).await?;
        let address = effective_url(standard, at, service);
        let address = address.as_deref().unwrap_or("https://amazonaws.com");
        if !address.starts_with("http://") {
            self.http.prepare_tls(address);
        }
        let settings = Settings {
            http: self.http.clone(),
            use_fips: standard.use_fips(),
            use_dual_stack: standard.use_dual_stack(),
        };
        let region = match &at.region {
            Some(region) => Some(Region::new(region.clone())),
            None => standard_region(&settings, &doing).await?,
        };
        let Some(region) = region else {
            let source = "no region is set: AWS_REGION, the profile's `region`, or `region=` in the URL";
            return Err(Fault {
                remedy: Some(NO_REGION),
                ..Fault::new(FaultKind::Misconfigured, doing, source)
            });
        };
        let credentials = self
            .credentials
            .get_or_try_init(|| credentials::standard(&settings, &region))
            .await
            .map_err(|error| fault::credentials_fault(&doing, &error))?;
        let mut sdk =
            standard.clone().into_builder().region(region).credentials_provider(credentials.provider());
        // They are cached here until they expire; the SDK would wait for their renewal while they are still valid.
        sdk = sdk.identity_cache(IdentityCache::no_cache());
        if let Some(url) = &at.url {
            // The origin makes the URL take precedence over the configuration of the service.
            sdk = sdk.endpoint_url(url);
            sdk.insert_origin("endpoint_url", Origin::shared_config());
        }
        let sdk = sdk.build();
        if let Some(url) = effective_url(&sdk, at, service)
            && !Url::parse(&url).is_ok_and(|url| {
                matches!(url.scheme(), "http" | "https") && url.has_host() && !has_credentials(&url)
            })
        {
            let url = without_credentials(&url);
            let source =
                format!("`{url}` is not the address of a service: use http://HOST:PORT or https://HOST");
            return Err(Fault::new(FaultKind::Misconfigured, doing, source));
        }
        Ok(sdk)
    }

    /// Trusts the certificates that the standard configuration names, if any.
    fn trust(&self, standard: &SdkConfig, doing: &str) -> Result<(), Fault> {
        let Some(file) = configured(standard, "", "AWS_CA_BUNDLE", "ca_bundle") else { return Ok(()) };
        let bundle = trust::bundle(Path::new(&file)).map_err(|source| {
            let remedy =
                Some("name a file of PEM certificates in AWS_CA_BUNDLE or the profile's `ca_bundle`");
            Fault { remedy, ..Fault::new(FaultKind::Misconfigured, doing, source) }
        })?;
        self.http.trust(bundle);
        Ok(())
    }

    /// Loads the standard configuration, once for all services; without region and credentials, which may need
    /// requests.
    async fn load(&self) -> SdkConfig {
        let loader = aws_config::defaults(BehaviorVersion::latest()).http_client(self.http.clone());
        // No request here is authorized by a bearer token. The standard provider of tokens would request a region
        // from the instance metadata service, with all the SDK's retries, though the region may be set for each
        // service.
        let no_token = Token::new("", None);
        loader.region(None::<Region>).no_credentials().token_provider(no_token).load().await
    }
}

/// Returns the configuration of requests that create or change a table, which need more time.
#[cfg(feature = "dynamodb")]
pub(crate) fn dynamodb_control() -> aws_sdk_dynamodb::config::Builder {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT)
        .read_timeout(DYNAMODB_CONTROL_ATTEMPT)
        .operation_attempt_timeout(DYNAMODB_CONTROL_ATTEMPT);
    aws_sdk_dynamodb::Config::builder().timeout_config(timeouts.build())
}

const NO_REGION: &str = "set AWS_REGION, the profile's `region`, or `region=` in the URL, as in dynamodb://TABLE?region=eu-west-1; in \
                         a container, the instance's metadata needs a hop limit of 2";

/// Returns the region from the SDK's own
/// [chain](https://docs.aws.amazon.com/sdkref/latest/guide/feature-region.html), with shorter timeouts for an
/// instance metadata service that does not exist.
///
/// # Errors
/// [`FaultKind::Unavailable`] if that service exists but is busy.
async fn standard_region(settings: &Settings, doing: &str) -> Result<Option<Region>, Fault> {
    let (providers, watched) = settings.providers();
    let imds = credentials::imds(&providers);
    let profile = ProfileFileRegionProvider::builder().configure(&providers).build();
    let instance = imds::region::ImdsRegionProvider::builder().configure(&providers).imds_client(imds);
    let chain = RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new());
    let region = chain.or_else(profile).or_else(instance.build()).region().await;
    if region.is_none() && watched.is_busy() {
        let source = "no region is set, and the instance metadata service is not answering";
        return Err(Fault { remedy: Some(NO_REGION), ..Fault::new(FaultKind::Unavailable, doing, source) });
    }
    Ok(region)
}

/// Returns the custom address that a service's client will use, if any: the explicit one, else that of the service,
/// else that of all services, as the [SDK
/// itself](https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html) chooses.
fn effective_url(sdk: &SdkConfig, at: &Endpoint, service: &str) -> Option<String> {
    if at.url.is_some() {
        return at.url.clone();
    }
    let of_service = configured(sdk, service, "AWS_ENDPOINT_URL", "endpoint_url");
    of_service.or_else(|| sdk.endpoint_url().map(str::to_owned))
}

/// Returns a value from the environment or the profile, for the service or for all services.
fn configured(sdk: &SdkConfig, service: &str, variable: &str, key: &str) -> Option<String> {
    let key = ServiceConfigKey::builder().service_id(service).env(variable).profile(key).build().ok()?;
    sdk.service_config()?.load_config(key)
}

/// Returns true if an address is one of AWS's own.
pub(crate) fn is_aws(url: &str) -> bool {
    Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_ascii_lowercase)).is_some_and(|host| {
        [".amazonaws.com", ".amazonaws.com.cn", ".api.aws"].iter().any(|domain| host.ends_with(domain))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aws_own_addresses() {
        for url in [
            "https://s3.eu-west-1.amazonaws.com",
            "https://bucket.vpce-1a2b3c.s3.us-east-1.vpce.amazonaws.com/",
            "https://s3.cn-north-1.amazonaws.com.cn",
            "https://s3.dualstack.us-east-1.API.AWS",
        ] {
            assert!(is_aws(url), "{url}");
        }
        for url in
            ["http://127.0.0.1:9000", "https://amazonaws.com.example", "https://minio/amazonaws.com", ""]
        {
            assert!(!is_aws(url), "{url}");
        }
    }
}
