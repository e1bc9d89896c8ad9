module "documents" {
  source = "./documents"

  table_arn               = var.table_arn
  bucket_arn              = var.bucket_arn
  prefix                  = var.prefix
  packages                = var.packages
  readable_packages       = var.readable_packages
  publisher_may_tag       = var.publisher_may_tag
  kms_key_arn             = var.kms_key_arn
  source_policy_documents = var.source_policy_documents
}

locals {
  documents = module.documents.documents
  names     = { for role in keys(local.documents) : role => lookup(var.names, role, "${var.name_prefix}${role}") }
}

resource "aws_iam_policy" "this" {
  for_each = var.policies

  name        = local.names[each.key]
  path        = var.path
  description = "What the ${each.key} of sacker may do."
  policy      = local.documents[each.key]
  tags        = var.tags

  lifecycle {
    precondition {
      # IAM counts no white space, and there is none.
      condition     = length(local.documents[each.key]) <= 6144
      error_message = "The policy of the ${each.key} has ${length(local.documents[each.key])} characters, and IAM allows 6144: use patterns such as web/* for the packages, or the module once for each group of packages."
    }
  }
}

resource "aws_iam_role" "this" {
  for_each = var.roles

  name                 = local.names[each.key]
  path                 = var.path
  description          = "The ${each.key} of sacker."
  assume_role_policy   = local.trust[each.key]
  max_session_duration = each.value.max_session_duration
  permissions_boundary = var.permissions_boundary
  tags                 = merge(var.tags, each.value.tags)

  lifecycle {
    precondition {
      condition     = contains(var.policies, each.key)
      error_message = "The role ${each.key} needs its policy: add it to policies."
    }
    precondition {
      condition     = length(each.value.github_subjects) == 0 || var.github_oidc_provider_arn != null
      error_message = "github_subjects needs github_oidc_provider_arn."
    }
    precondition {
      condition     = length(each.value.gitlab_subjects) == 0 || var.gitlab_oidc_provider_arn != null
      error_message = "gitlab_subjects needs gitlab_oidc_provider_arn."
    }
  }
}

resource "aws_iam_role_policy_attachment" "this" {
  for_each = var.roles

  role       = aws_iam_role.this[each.key].name
  policy_arn = aws_iam_policy.this[each.key].arn
}

resource "aws_iam_instance_profile" "this" {
  for_each = { for role, grant in var.roles : role => grant if grant.instance_profile }

  name = local.names[each.key]
  path = var.path
  role = aws_iam_role.this[each.key].name
  tags = var.tags
}
