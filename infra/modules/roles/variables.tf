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

variable "policies" {
  description = "Roles whose document becomes a managed policy."
  type        = set(string)
  default     = ["reader", "publisher", "promoter", "freezer", "collector", "auditor", "administrator"]

  validation {
    condition     = alltrue([for role in var.policies : contains(["reader", "publisher", "promoter", "freezer", "collector", "auditor", "administrator"], role)])
    error_message = "The roles are reader, publisher, promoter, freezer, collector, auditor and administrator."
  }
}

variable "roles" {
  description = "IAM roles to create, and who may assume each: ARNs of principals, services, and subjects of GitHub's and GitLab's OIDC tokens. Each gets the managed policy of its name."
  type = map(object({
    principals           = optional(list(string), [])
    services             = optional(list(string), [])
    github_subjects      = optional(list(string), [])
    gitlab_subjects      = optional(list(string), [])
    instance_profile     = optional(bool, false)
    max_session_duration = optional(number, 3600)
    tags                 = optional(map(string), {})
  }))
  default = {}

  validation {
    condition     = alltrue([for role in keys(var.roles) : contains(["reader", "publisher", "promoter", "freezer", "collector", "auditor", "administrator"], role)])
    error_message = "The roles are reader, publisher, promoter, freezer, collector, auditor and administrator."
  }

  validation {
    condition     = alltrue([for role in values(var.roles) : length(concat(role.principals, role.services, role.github_subjects, role.gitlab_subjects)) > 0 || role.instance_profile])
    error_message = "A role needs somebody who may assume it: principals, services, github_subjects, gitlab_subjects or instance_profile."
  }

  validation {
    condition     = alltrue(flatten([for role in values(var.roles) : [for principal in role.principals : !strcontains(principal, "*")]]))
    error_message = "A principal is one ARN or account: with a * in it, anybody could assume the role."
  }

  validation {
    condition     = alltrue(flatten([for role in values(var.roles) : [for subject in role.github_subjects : can(regex("^repo:[^*?/:]+/[^*?/:]+:", subject))]]))
    error_message = "A subject of GitHub names the owner and the repository: repo:OWNER/REPOSITORY:environment:NAME or repo:OWNER/REPOSITORY:ref:refs/heads/BRANCH."
  }

  validation {
    condition     = alltrue(flatten([for role in values(var.roles) : [for subject in role.gitlab_subjects : can(regex("^project_path:[^*?:/]+/[^*?:]+:", subject))]]))
    error_message = "A subject of GitLab names the group and the project: project_path:GROUP/PROJECT:ref_type:branch:ref:BRANCH."
  }
}

variable "github_oidc_provider_arn" {
  description = "ARN of the account's OIDC provider for GitHub Actions; required with github_subjects."
  type        = string
  default     = null

  validation {
    condition     = var.github_oidc_provider_arn == null || can(regex("^arn:[^:]+:iam::[0-9]{12}:oidc-provider/.+", var.github_oidc_provider_arn))
    error_message = "This must be the ARN of an OIDC provider (arn:aws:iam::ACCOUNT:oidc-provider/HOST)."
  }
}

variable "gitlab_oidc_provider_arn" {
  description = "ARN of the account's OIDC provider for GitLab; required with gitlab_subjects."
  type        = string
  default     = null

  validation {
    condition     = var.gitlab_oidc_provider_arn == null || can(regex("^arn:[^:]+:iam::[0-9]{12}:oidc-provider/.+", var.gitlab_oidc_provider_arn))
    error_message = "This must be the ARN of an OIDC provider (arn:aws:iam::ACCOUNT:oidc-provider/HOST)."
  }
}

variable "gitlab_audience" {
  description = "Audience of GitLab's tokens, as the job's id_tokens states it; null for https:// and the provider's host."
  type        = string
  default     = null
}

variable "name_prefix" {
  description = "Beginning of the names of policies, roles and instance profiles; the rest is the name of the role."
  type        = string
  default     = "sacker-"
}

variable "names" {
  description = "Names that replace name_prefix and the role, by role."
  type        = map(string)
  default     = {}
}

variable "path" {
  description = "IAM path of everything that is created."
  type        = string
  default     = "/"
}

variable "permissions_boundary" {
  description = "ARN of a policy that limits the roles that are created."
  type        = string
  default     = null
}

variable "tags" {
  description = "Tags for everything that is created."
  type        = map(string)
  default     = {}
}
