# The documents alone: no provider, so that they can be rendered without an account.

terraform {
  required_version = ">= 1.5"
}

locals {
  region  = split(":", var.table_arn)[3]
  objects = join("/", compact([var.bucket_arn, var.prefix]))
  owner   = "${local.objects}/OWNER"
  blobs   = "${local.objects}/sha256/*"

  # The kinds of partitions: the versions of a package, its tags, the blobs, the list of packages, the ledger's identity.
  versions  = [for name in var.packages : "P#${name}"]
  tags      = [for name in var.packages : "T#${name}"]
  readable  = flatten([for kind in ["P#", "T#"] : [for name in var.readable_packages : "${kind}${name}"]])
  own       = contains(var.readable_packages, "*") ? [] : concat(local.versions, local.tags)
  directory = ["D#*"]
  all_blobs = ["B#*"]
  meta      = ["M"]
  # The freezes: their log, and what movers check.
  freezes  = ["F"]
  replicas = ["F#*"]

  # A statement an action, with all its keys: it then allows a transaction whether DynamoDB passes the keys of each part or
  # those of all parts with that action.
  #
  # ForAllValues is also true of a request without keys, such as a Scan; Null excludes those.
  on_keys = {
    for name, grant in {
      ReadLedger    = { actions = local.reads, keys = concat(local.meta, local.directory, local.freezes, local.readable) }
      ReadPublished = { actions = local.reads, keys = concat(local.meta, local.directory, local.freezes, var.publisher_may_tag ? local.replicas : [], local.all_blobs, local.readable, local.own) }
      ReadPromoted  = { actions = local.reads, keys = concat(local.meta, local.directory, local.freezes, local.replicas, local.readable, local.own) }
      ReadAudited   = { actions = local.reads, keys = concat(local.meta, local.directory, local.freezes, local.replicas, local.readable) }
      ReadBlobs     = { actions = ["GetItem", "BatchGetItem"], keys = concat(local.meta, local.all_blobs) }

      PutVersions         = { actions = ["PutItem"], keys = concat(local.versions, local.directory) }
      UpdateVersions      = { actions = ["UpdateItem"], keys = concat(local.versions, local.all_blobs) }
      CheckTags           = { actions = ["ConditionCheckItem"], keys = local.tags }
      CheckTagsAndFreezes = { actions = ["ConditionCheckItem"], keys = concat(local.tags, local.replicas) }
      PutVersionsAndTags  = { actions = ["PutItem"], keys = concat(local.versions, local.directory, local.tags) }

      PutTags       = { actions = ["PutItem"], keys = local.tags }
      CheckVersions = { actions = ["ConditionCheckItem"], keys = concat(local.versions, local.replicas) }

      PutFreezes = { actions = ["PutItem"], keys = concat(local.freezes, local.replicas) }

      CondemnBlobs    = { actions = ["UpdateItem"], keys = local.all_blobs }
      RepairDirectory = { actions = ["DeleteItem"], keys = local.directory }
      } : name => {
      Sid      = name
      Effect   = "Allow"
      Action   = [for action in grant.actions : "dynamodb:${action}"]
      Resource = var.table_arn
      Condition = {
        "ForAllValues:StringLike" = { "dynamodb:LeadingKeys" = distinct(grant.keys) }
        Null                      = { "dynamodb:LeadingKeys" = "false" }
      }
    }
  }
  reads = ["GetItem", "BatchGetItem", "Query"]

  on_table = {
    for name, actions in {
      ScanLedger = ["Scan"]
      ManageTable = [
        "CreateTable", "DescribeTable", "UpdateContinuousBackups", "DescribeContinuousBackups", "DescribeTimeToLive",
        "GetItem", "BatchGetItem", "Query", "Scan", "PutItem", "UpdateItem", "ConditionCheckItem",
      ]
      } : name => {
      Sid      = name
      Effect   = "Allow"
      Action   = [for action in actions : "dynamodb:${action}"]
      Resource = var.table_arn
    }
  }

  on_store = {
    for name, grant in {
      # Without the right to list, S3 answers 403 instead of 404 for an object that does not exist.
      FindObjects  = { actions = ["ListBucket"], on = var.bucket_arn }
      FindUploads  = { actions = ["ListBucket", "ListBucketMultipartUploads"], on = var.bucket_arn }
      ReadObjects  = { actions = ["GetObject"], on = local.blobs }
      ReadOwner    = { actions = ["GetObject"], on = local.owner }
      StoreObjects = { actions = ["PutObject", "AbortMultipartUpload", "ListMultipartUploadParts"], on = local.blobs }
      # Not DeleteObjectVersion: the bucket's versions bring a blob back.
      CollectObjects = { actions = ["DeleteObject", "AbortMultipartUpload", "ListMultipartUploadParts"], on = local.blobs }
      WriteOwner     = { actions = ["GetObject", "PutObject", "AbortMultipartUpload"], on = local.owner }
      ManageObjects = {
        actions = ["GetObject", "PutObject", "DeleteObject", "AbortMultipartUpload", "ListMultipartUploadParts"]
        on      = local.blobs
      }
      ManageBucket = {
        actions = concat(["CreateBucket", "ListBucket", "ListBucketMultipartUploads"], flatten([
          for setting in ["BucketVersioning", "BucketPublicAccessBlock", "BucketOwnershipControls", "EncryptionConfiguration", "LifecycleConfiguration", "BucketPolicy"] :
          ["Get${setting}", "Put${setting}"]
        ]), ["GetReplicationConfiguration"])
        on = var.bucket_arn
      }
      } : name => {
      Sid      = name
      Effect   = "Allow"
      Action   = [for action in grant.actions : "s3:${action}"]
      Resource = grant.on
    }
  }

  on_key = {
    for name, actions in {
      Decrypt           = ["kms:Decrypt"]
      EncryptAndDecrypt = ["kms:Decrypt", "kms:GenerateDataKey"]
      } : name => {
      Sid      = name
      Effect   = "Allow"
      Action   = actions
      Resource = var.kms_key_arn
      # Only through these two services, not for other data under the same key.
      Condition = { StringLike = { "kms:ViaService" = [for service in ["dynamodb", "s3"] : "${service}.${local.region}.amazonaws.com*"] } }
    }
  }

  statements = merge(local.on_keys, local.on_table, local.on_store, local.on_key)

  # Each role is complete: it needs no other policy.
  roles = {
    reader        = ["ReadLedger", "ReadObjects", "FindObjects", "Decrypt"]
    publisher     = ["ReadPublished", var.publisher_may_tag ? "PutVersionsAndTags" : "PutVersions", "UpdateVersions", var.publisher_may_tag ? "CheckTagsAndFreezes" : "CheckTags", "ReadObjects", "ReadOwner", "FindObjects", "StoreObjects", "EncryptAndDecrypt"]
    promoter      = ["ReadPromoted", "PutTags", "CheckVersions", "ReadObjects", "FindObjects", "Decrypt"]
    freezer       = ["ReadAudited", "PutFreezes", "ReadObjects", "FindObjects", "Decrypt"]
    collector     = ["ReadBlobs", "CondemnBlobs", "ReadOwner", "FindUploads", "CollectObjects", "Decrypt"]
    auditor       = ["ReadAudited", "ScanLedger", "ReadObjects", "ReadOwner", "FindObjects", "Decrypt"]
    administrator = ["ManageTable", "RepairDirectory", "ManageBucket", "ManageObjects", "WriteOwner", "EncryptAndDecrypt"]
  }

  documents = {
    for role, names in local.roles : role => jsonencode({
      Version = "2012-10-17"
      Statement = concat(
        [for name in names : local.statements[name] if var.kms_key_arn != null || !contains(keys(local.on_key), name)],
        flatten([for document in lookup(var.source_policy_documents, role, []) : jsondecode(document).Statement]),
      )
    })
  }
}

output "documents" {
  description = "The policy documents, by role."
  value       = local.documents
}
