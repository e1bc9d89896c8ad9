variable "name_prefix" {
  description = "Text in front of the names of the table, the roles, the backup vault and the alarms: one account can then hold several ledgers."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{0,32}$", var.name_prefix))
    error_message = "A name prefix has at most 32 letters, digits, '_' or '-'."
  }
}

variable "table_name" {
  description = "Name of the DynamoDB table that holds the ledger, after name_prefix."
  type        = string
  default     = "sacker"

  validation {
    condition     = can(regex("^[A-Za-z0-9_.-]{3,255}$", var.table_name))
    error_message = "A DynamoDB table name has 3 to 255 letters, digits, '_', '.' or '-'."
  }
}

variable "bucket_name" {
  description = "Name of the S3 bucket that holds the blobs. Bucket names are unique across all of AWS. Give this or bucket_prefix."
  type        = string
  default     = null

  validation {
    condition     = var.bucket_name == null || can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.bucket_name))
    error_message = "An S3 bucket name has 3 to 63 lower-case letters, digits, '.' or '-', and begins and ends with a letter or digit."
  }
}

variable "bucket_prefix" {
  description = "First part of the name of the bucket; AWS adds a unique rest. Give this or bucket_name."
  type        = string
  default     = null

  validation {
    condition     = var.bucket_prefix == null || can(regex("^[a-z0-9][a-z0-9.-]{0,36}$", var.bucket_prefix))
    error_message = "A prefix of a bucket name has at most 37 lower-case letters, digits, '.' or '-', and begins with a letter or digit."
  }
}

variable "prefix" {
  description = "Key prefix of the blobs in the bucket, with no slash at either end; empty for the bucket's root."
  type        = string
  default     = ""

  validation {
    condition     = var.prefix == "" || can(regex("^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*$", var.prefix))
    error_message = "A prefix has letters, digits, '.', '_' or '-', in segments with single slashes between them, and no slash at either end."
  }
}

variable "kms_key_arn" {
  description = "ARN of a KMS key of your own for the table and the bucket; null for the keys that AWS manages at no cost. Who uses sacker then also needs kms:Decrypt and kms:GenerateDataKey on it."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[^:]+:kms:[^:]+:[0-9]{12}:key/", var.kms_key_arn))
    error_message = "This must be the ARN of a KMS key (arn:aws:kms:REGION:ACCOUNT:key/ID), not an alias or an id."
  }
}

variable "deletion_protection" {
  description = "Whether DynamoDB refuses to delete the table. Turn it off, and apply that, before a wanted destroy."
  type        = bool
  default     = true
}

variable "point_in_time_recovery_days" {
  description = "How many days back the table can be restored to any second."
  type        = number
  default     = 35

  validation {
    condition     = var.point_in_time_recovery_days == floor(var.point_in_time_recovery_days) && var.point_in_time_recovery_days >= 1 && var.point_in_time_recovery_days <= 35
    error_message = "DynamoDB keeps 1 to 35 days."
  }
}

variable "noncurrent_version_days" {
  description = "Days after which an overwritten or deleted object is gone for good: the time there is to undo a mistaken `sacker gc --delete`."
  type        = number
  default     = 30

  validation {
    condition     = var.noncurrent_version_days == floor(var.noncurrent_version_days) && var.noncurrent_version_days >= 1
    error_message = "This must be a whole number of days, at least 1."
  }
}

variable "tags" {
  description = "Tags for the table and the bucket."
  type        = map(string)
  default     = {}
}

variable "on_demand_throughput" {
  description = "Limits on the on-demand capacity of the table, in request units a second; null for none. Above a limit, requests are throttled, and sacker waits."
  type = object({
    max_read_request_units  = optional(number)
    max_write_request_units = optional(number)
  })
  default = null
}

variable "restore_source_name" {
  description = "Name of a table in this account and region to restore the new table from; null for an empty table."
  type        = string
  default     = null
}

variable "restore_source_table_arn" {
  description = "ARN of a table in another region to restore the new table from; null for an empty table."
  type        = string
  default     = null
}

variable "restore_date_time" {
  description = "Time to restore to, such as 2026-05-01T10:00:00Z; null with restore_to_latest_time."
  type        = string
  default     = null
}

variable "restore_to_latest_time" {
  description = "Whether the latest state is restored, which is about five minutes old."
  type        = bool
  default     = null
}

variable "table_policy" {
  description = "JSON of a resource policy of the table, for principals of other accounts; null for none."
  type        = string
  default     = null

  validation {
    condition     = var.table_policy == null || can(jsondecode(var.table_policy))
    error_message = "This must be JSON: use jsonencode or aws_iam_policy_document."
  }
}

variable "bucket_policy_documents" {
  description = "JSON documents whose statements are added to the policy of the bucket, for principals of other accounts."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for document in var.bucket_policy_documents : can(jsondecode(document))])
    error_message = "Each must be JSON: use jsonencode or aws_iam_policy_document."
  }
}

variable "require_latest_tls" {
  description = "Whether the policy of the bucket refuses TLS before 1.2."
  type        = bool
  default     = true
}

variable "deny_other_encryption" {
  description = "Whether the policy of the bucket refuses objects that name another encryption, or another KMS key, than that of the bucket."
  type        = bool
  default     = true
}

variable "access_logging" {
  description = "Bucket that receives the log of all requests to the store, and the prefix of its keys; null for no log."
  type = object({
    bucket = string
    prefix = optional(string, "sacker/")
  })
  default = null
}

variable "contributor_insights" {
  description = "Whether CloudWatch shows the most used partitions of the table."
  type        = bool
  default     = false
}

variable "stream" {
  description = "Whether the table has a stream of its changes, which modules/events needs."
  type        = bool
  default     = false
}

variable "replication" {
  description = "Bucket in another region or account to which new blobs are copied; null for none. It must be versioned. Its owner's account is needed only if that is another one. With time_control, S3 promises 15 minutes, and publishes the delay. Deletions are not copied."
  type = object({
    bucket_arn    = string
    account_id    = optional(string)
    kms_key_arn   = optional(string)
    storage_class = optional(string, "STANDARD")
    time_control  = optional(bool, true)
  })
  default = null

  validation {
    condition     = var.replication == null || can(regex("^arn:[^:]+:s3:::", var.replication.bucket_arn))
    error_message = "bucket_arn must be the ARN of a bucket (arn:aws:s3:::NAME)."
  }
}

variable "backup" {
  description = "Backups of the table with AWS Backup, beyond the 35 days of point-in-time recovery; null for none. schedule is a cron expression in UTC; copy_to_vault_arn is a vault in another region or account; lock_min_days makes the vault refuse to delete a backup before that."
  type = object({
    schedule               = optional(string, "cron(0 3 * * ? *)")
    delete_after_days      = optional(number, 90)
    copy_to_vault_arn      = optional(string)
    copy_delete_after_days = optional(number, 90)
    kms_key_arn            = optional(string)
    lock_min_days          = optional(number)
  })
  default = null

  validation {
    condition     = var.backup == null || try(var.backup.delete_after_days >= 1 && var.backup.copy_delete_after_days >= 1, false)
    error_message = "Backups are kept for at least 1 day."
  }
}

variable "alarm_actions" {
  description = "ARNs that an alarm notifies, such as an SNS topic. Without any, no alarm is created."
  type        = list(string)
  default     = []
}
