//! Sets of a table and a bucket on moto, which has all settings of AWS.

use crate::support::{
    backends,
    link::{Certificate, Link, Shape},
    proxy::http::Message,
    rewriting,
    sandbox::Sandbox,
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};
use tokio::runtime::Runtime;

/// A table and a bucket on moto, made by `init`, and clients of them.
pub struct Cloud {
    pub sandbox: Sandbox,
    pub table: String,
    pub bucket: String,
    pub dynamodb: aws_sdk_dynamodb::Client,
    pub s3: aws_sdk_s3::Client,
    pub runtime: Runtime,
    /// The policies of the buckets, by path. moto would obey them, and it is asked without TLS.
    pub policies: Policies,
    _link: Link,
}

type Policies = Arc<Mutex<BTreeMap<String, String>>>;

/// Answers the requests about policies.
fn of_policy(policies: &Policies, request: &Message) -> Option<Message> {
    let head = String::from_utf8_lossy(&request.head).into_owned();
    let mut words = head.split(' ');
    let (method, target) = (words.next()?, words.next()?);
    let (path, query) = target.split_once('?')?;
    if !query.split('&').any(|name| name.trim_end_matches('=') == "policy") {
        return None;
    }
    let (mut policies, bucket) = (policies.lock().unwrap(), path.trim_end_matches('/').to_owned());
    if method == "PUT" {
        policies.insert(bucket, String::from_utf8(request.body.clone()).unwrap());
        return Some(Message::response("204 No Content", "", ""));
    }
    let none = "<Error><Code>NoSuchBucketPolicy</Code><Message>none</Message></Error>";
    Some(match policies.get(&bucket) {
        Some(policy) => Message::response("200 OK", "content-type: application/json\r\n", policy),
        None => Message::response("404 Not Found", "content-type: application/xml\r\n", none),
    })
}

impl Cloud {
    /// Over TLS, as AWS is: only then there is a policy against requests without it.
    pub fn new() -> Self {
        let (table, bucket) = (backends::unique("doctor"), backends::unique("doctor"));
        let bucket = bucket[..bucket.len().min(63)].to_owned();
        let runtime = Runtime::new().unwrap();
        let certificate = Certificate::new();
        let policies = Policies::default();
        let of_policies = Arc::clone(&policies);
        let gate = move |request: &Message| of_policy(&of_policies, request);
        let moto = rewriting::guarding(&rewriting::moto(), gate, |_, _| ());
        let link = runtime.block_on(Link::start_tls(&moto, Shape::default(), &certificate));
        let at = link.url();
        let sandbox = Sandbox::new();
        sandbox.write("ca.pem", certificate.pem());
        let bundle = sandbox.path("ca.pem").display().to_string();
        let sandbox = sandbox
            .set("SACKER_LEDGER", format!("dynamodb://{table}?region=us-east-1&endpoint={at}"))
            .set("SACKER_STORE", format!("s3://{bucket}/blobs?region=us-east-1&endpoint={at}"))
            .set("AWS_ENDPOINT_URL_STS", backends::moto())
            .set("AWS_CA_BUNDLE", bundle)
            .set("AWS_ACCESS_KEY_ID", "sackertest")
            .set("AWS_SECRET_ACCESS_KEY", "sackertestsecret");
        let (dynamodb, s3) = runtime.block_on(async {
            let at = backends::at(backends::moto());
            let aws = backends::aws();
            (aws.dynamodb(&at).await.unwrap(), aws.s3(&at).await.unwrap())
        });
        // moto accepts bytes that do not match their checksums, which `init` refuses once all is made.
        let made = sandbox.run(&["init", "-q"]);
        assert!(made.starts_with("exit 2") && made.contains("this server can't hold a store"), "{made}");
        Self { sandbox, table, bucket, dynamodb, s3, runtime, policies, _link: link }
    }

    /// Removes a statement of the policy of the bucket.
    pub fn without_statements(&self, sid: &str) {
        for policy in self.policies.lock().unwrap().values_mut() {
            let mut without: serde_json::Value = serde_json::from_str(policy).unwrap();
            let statements = without["Statement"].as_array_mut().unwrap();
            let before = statements.len();
            statements.retain(|statement| statement["Sid"] != sid);
            assert_eq!(statements.len() + 1, before, "{policy} has no {sid}");
            *policy = without.to_string();
        }
    }

    /// Makes another table with the same keys and no settings, which holds the ledger's identity: as a restore
    /// leaves it.
    pub fn restored(&self) -> String {
        let name = format!("{}-restored", self.table);
        self.runtime.block_on(async {
            make(&self.dynamodb, &name, ["pk", "sk"]).await;
            let all = self.dynamodb.scan().table_name(&self.table).send().await.unwrap();
            for item in all.items.unwrap() {
                self.dynamodb.put_item().table_name(&name).set_item(Some(item)).send().await.unwrap();
            }
        });
        self.sandbox.variable("SACKER_LEDGER").replace(&self.table, &name)
    }
}

/// Makes a table with these keys, and no settings.
pub async fn make(client: &aws_sdk_dynamodb::Client, name: &str, keys: [&str; 2]) {
    use aws_sdk_dynamodb::types::{
        AttributeDefinition, KeySchemaElement, KeyType, ProvisionedThroughput, ScalarAttributeType,
    };
    let throughput = ProvisionedThroughput::builder().read_capacity_units(5).write_capacity_units(5);
    let mut request = client
        .create_table()
        .table_name(name)
        .provisioned_throughput(throughput.build().unwrap())
        .deletion_protection_enabled(false);
    for (key, kind) in keys.into_iter().zip([KeyType::Hash, KeyType::Range]) {
        let attribute =
            AttributeDefinition::builder().attribute_name(key).attribute_type(ScalarAttributeType::S);
        let element = KeySchemaElement::builder().attribute_name(key).key_type(kind);
        request =
            request.attribute_definitions(attribute.build().unwrap()).key_schema(element.build().unwrap());
    }
    request.send().await.unwrap();
}
