variable "table_arn" {
  description = "ARN of the table."
  type        = string

  validation {
    condition     = can(regex("^arn:[^:]+:dynamodb:[^:*]+:[0-9]{12}:table/[A-Za-z0-9_.-]+$", var.table_arn))
    error_message = "This must be the ARN of a DynamoDB table (arn:aws:dynamodb:REGION:ACCOUNT:table/NAME)."
  }
}

variable "bucket_arn" {
  description = "ARN of the bucket."
  type        = string

  validation {
    condition     = can(regex("^arn:[^:]+:s3:::[a-z0-9.-]+$", var.bucket_arn))
    error_message = "This must be the ARN of an S3 bucket (arn:aws:s3:::NAME)."
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

variable "packages" {
  description = "Packages of the publisher and the promoter: names, patterns such as web/*, or patterns with a variable of IAM such as team/$${aws:PrincipalTag/team}/*."
  type        = list(string)
  default     = ["*"]

  validation {
    condition     = length(var.packages) > 0 && alltrue([for name in var.packages : length(name) > 0])
    error_message = "Name at least one package; [\"*\"] is all of them."
  }
}

variable "readable_packages" {
  description = "Packages that every role but the collector may read; publisher and promoter can always read theirs. The names of all packages stay readable."
  type        = list(string)
  default     = ["*"]

  validation {
    condition     = alltrue([for name in var.readable_packages : length(name) > 0])
    error_message = "An empty name allows nothing."
  }
}

variable "publisher_may_tag" {
  description = "Whether the publisher may run `add --tag`: it may then put any tag of its packages on any version."
  type        = bool
  default     = false
}

variable "kms_key_arn" {
  description = "ARN of the KMS key of the table and the bucket, if it is one of your own."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[^:]+:kms:[^:]+:[0-9]{12}:key/", var.kms_key_arn))
    error_message = "This must be the ARN of a KMS key (arn:aws:kms:REGION:ACCOUNT:key/ID), not an alias or an id."
  }
}

variable "source_policy_documents" {
  description = "JSON documents whose statements are added to a role's document, by role."
  type        = map(list(string))
  default     = {}

  validation {
    condition     = alltrue([for role in keys(var.source_policy_documents) : contains(["reader", "publisher", "promoter", "freezer", "collector", "auditor", "administrator"], role)])
    error_message = "The roles are reader, publisher, promoter, freezer, collector, auditor and administrator."
  }
}
