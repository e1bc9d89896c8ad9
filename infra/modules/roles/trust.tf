# Who may assume the roles.

locals {
  # The provider's host and path, which the names of its claims begin with.
  github = try(split("oidc-provider/", var.github_oidc_provider_arn)[1], "")
  gitlab = try(split("oidc-provider/", var.gitlab_oidc_provider_arn)[1], "")

  trust = {
    for role, grant in var.roles : role => jsonencode({
      Version = "2012-10-17"
      Statement = concat(
        [for principals in [grant.principals] : {
          Sid       = "Principals"
          Effect    = "Allow"
          Principal = { AWS = principals }
          Action    = "sts:AssumeRole"
        } if length(principals) > 0],
        [for services in [distinct(concat(grant.services, grant.instance_profile ? ["ec2.amazonaws.com"] : []))] : {
          Sid       = "Services"
          Effect    = "Allow"
          Principal = { Service = services }
          Action    = "sts:AssumeRole"
        } if length(services) > 0],
        [for subjects in [grant.github_subjects] : {
          Sid       = "Github"
          Effect    = "Allow"
          Principal = { Federated = var.github_oidc_provider_arn }
          Action    = "sts:AssumeRoleWithWebIdentity"
          Condition = {
            StringEquals = { "${local.github}:aud" = "sts.amazonaws.com" }
            StringLike   = { "${local.github}:sub" = subjects }
          }
        } if length(subjects) > 0],
        [for subjects in [grant.gitlab_subjects] : {
          Sid       = "Gitlab"
          Effect    = "Allow"
          Principal = { Federated = var.gitlab_oidc_provider_arn }
          Action    = "sts:AssumeRoleWithWebIdentity"
          Condition = {
            StringEquals = { "${local.gitlab}:aud" = coalesce(var.gitlab_audience, "https://${split("/", local.gitlab)[0]}") }
            StringLike   = { "${local.gitlab}:sub" = subjects }
          }
        } if length(subjects) > 0],
      )
    })
  }
}
