//! Policies as Terraform renders them.

use serde_json::{Value, json};
use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

/// Renders the documents of the roles for each set of variables, in one run: the documents by role, as in the output
/// `documents` of the module.
pub fn documents(variables: &[(&str, Value)]) -> Vec<Value> {
    let dir = tempfile::tempdir().unwrap();
    let module = concat!(env!("CARGO_MANIFEST_DIR"), "/infra/modules/roles/documents");
    copy(Path::new(module), &dir.path().join("documents"));
    let modules: serde_json::Map<_, _> = variables
        .iter()
        .map(|(name, variables)| {
            let mut module = variables.clone();
            module["source"] = json!("./documents");
            ((*name).to_owned(), module)
        })
        .collect();
    let outputs: serde_json::Map<_, _> = variables
        .iter()
        .map(|(name, _)| ((*name).to_owned(), json!({ "value": format!("${{module.{name}.documents}}") })))
        .collect();
    let root = json!({ "module": modules, "output": outputs });
    fs::write(dir.path().join("main.tf.json"), root.to_string()).unwrap();
    let outputs = apply(dir.path(), &["init", "-backend=false"]);
    let parsed = |name: &str| {
        let texts = outputs[name]["value"].as_object().unwrap();
        let documents = texts.iter().map(|(role, text)| {
            (role.clone(), serde_json::from_str::<Value>(text.as_str().unwrap()).unwrap())
        });
        documents.collect::<Value>()
    };
    variables.iter().map(|(name, _)| parsed(name)).collect()
}

/// Renders the trust policies of the roles, by role.
pub fn trust(variables: &Value) -> Value {
    let roles = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/infra/modules/roles"));
    let dir = tempfile::tempdir().unwrap();
    for file in ["trust.tf", "variables.tf"] {
        fs::copy(roles.join(file), dir.path().join(file)).unwrap();
    }
    let root = json!({ "output": { "trust": { "value": "${local.trust}" } } });
    fs::write(dir.path().join("main.tf.json"), root.to_string()).unwrap();
    fs::write(dir.path().join("terraform.tfvars.json"), variables.to_string()).unwrap();
    let outputs = apply(dir.path(), &["init", "-backend=false"]);
    let policies = outputs["trust"]["value"].as_object().unwrap().iter();
    let parsed = |text: &Value| serde_json::from_str::<Value>(text.as_str().unwrap()).unwrap();
    policies.map(|(role, text)| (role.clone(), parsed(text))).collect()
}

/// Renders the policy of the bucket in `infra/bucket.tf` for the bucket with this ARN.
pub fn bucket_policy(arn: &str) -> Value {
    let infra = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/infra"));
    let text = fs::read_to_string(infra.join("bucket.tf")).unwrap();
    let (_, block) = text.split_once("data \"aws_iam_policy_document\" \"store\" {\n").unwrap();
    let (block, _) = block.split_once("\n}\n").unwrap();
    let block = block.replace("aws_s3_bucket.store.arn", "local.arn");
    let root = format!(
        "data \"aws_iam_policy_document\" \"store\" {{\n{block}\n}}\nlocals {{\n  arn = \"{arn}\"\n}}\n\
         output \"policy\" {{\n  value = data.aws_iam_policy_document.store.json\n}}\n\
         provider \"aws\" {{\n  region = \"eu-west-1\"\n  access_key = \"none\"\n  secret_key = \"none\"\n  \
         skip_credentials_validation = true\n  skip_requesting_account_id = true\n  skip_metadata_api_check = true\n}}\n"
    );
    let dir = tempfile::tempdir().unwrap();
    for file in ["variables.tf", "versions.tf"] {
        fs::copy(infra.join(file), dir.path().join(file)).unwrap();
    }
    fs::write(dir.path().join("main.tf"), root).unwrap();
    fs::write(dir.path().join("terraform.tfvars"), "bucket_name = \"acme-blobs\"\n").unwrap();
    let begin = init();
    let begin: Vec<_> = begin.iter().map(String::as_str).collect();
    let policy = apply(dir.path(), &begin)["policy"]["value"].as_str().unwrap().to_owned();
    serde_json::from_str(&policy).unwrap()
}

/// Plans the module in `infra/` with these variables and no account: the planned resources, by type.
pub fn planned(variables: &Value) -> serde_json::Map<String, Value> {
    let dir = tempfile::tempdir().unwrap();
    copy(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/infra")), dir.path());
    let provider = json!({ "provider": { "aws": {
        "region": "eu-west-1", "access_key": "none", "secret_key": "none", "skip_credentials_validation": true,
        "skip_requesting_account_id": true, "skip_metadata_api_check": true,
    } } });
    fs::write(dir.path().join("provider.tf.json"), provider.to_string()).unwrap();
    fs::write(dir.path().join("terraform.tfvars.json"), variables.to_string()).unwrap();
    let begin = init();
    let begin: Vec<_> = begin.iter().map(String::as_str).collect();
    run(dir.path(), &[&begin[..], &["-input=false", "-no-color"]].concat());
    run(dir.path(), &["plan", "-out=plan", "-input=false", "-no-color"]);
    let shown = run(dir.path(), &["show", "-json", "-no-color", "plan"]);
    let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
    let resources = shown["planned_values"]["root_module"]["resources"].as_array().unwrap().iter();
    let of = |resource: &Value| (resource["type"].as_str().unwrap().to_owned(), resource["values"].clone());
    resources.filter(|resource| resource["mode"] == "managed").map(of).collect()
}

/// Returns the command that initialises a folder. Where a plugin folder has the provider, nothing is downloaded; as in
/// `scripts/check-infra`.
fn init() -> Vec<String> {
    let named = std::env::var("TF_PLUGIN_DIR").ok();
    let folders = named.into_iter().chain(["/opt/tf-plugins".to_owned()]);
    let has = |folder: &String| {
        let hosts = fs::read_dir(folder).into_iter().flatten().flatten();
        hosts.into_iter().any(|host| host.path().join("hashicorp/aws").is_dir())
    };
    let plugins = folders.into_iter().find(has).map(|folder| format!("-plugin-dir={folder}"));
    ["init".to_owned()].into_iter().chain(plugins).collect()
}

/// Initialises and applies a folder, and returns its outputs. Nothing is created that is not in the folder.
pub fn apply(dir: &Path, init: &[&str]) -> Value {
    run(dir, &[init, &["-input=false", "-no-color"]].concat());
    run(dir, &["apply", "-auto-approve", "-input=false", "-no-color", "-compact-warnings"]);
    let output = run(dir, &["output", "-json", "-no-color"]);
    serde_json::from_slice(&output.stdout).unwrap()
}

fn run(dir: &Path, arguments: &[&str]) -> Output {
    let output = Command::new("terraform")
        .args(arguments)
        .current_dir(dir)
        .env("CHECKPOINT_DISABLE", "1")
        .env("TF_IN_AUTOMATION", "1")
        .env_remove("TF_CLI_CONFIG_FILE")
        .env_remove("TF_WORKSPACE")
        .env_remove("TF_DATA_DIR")
        .output()
        .unwrap_or_else(|error| {
            panic!("terraform: {error}: install Terraform 1.7 or newer (https://developer.hashicorp.com/terraform/install)")
        });
    assert!(
        output.status.success(),
        "terraform {arguments:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// Copies the files of a module, not what Terraform left in it.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "tf") {
            fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
        }
    }
}
