mock_provider "aws" {
  mock_resource "aws_iam_policy" {
    defaults = { arn = "arn:aws:iam::111122223333:policy/mocked" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::111122223333:role/mocked" }
  }
}

variables {
  table_arn                = "arn:aws:dynamodb:eu-west-1:111122223333:table/sacker"
  bucket_arn               = "arn:aws:s3:::acme-blobs"
  prefix                   = "sacker"
  packages                 = ["app", "web/*"]
  github_oidc_provider_arn = "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com"
  gitlab_oidc_provider_arn = "arn:aws:iam::111122223333:oidc-provider/gitlab.example.com"
}

run "seven_policies_and_no_roles_by_default" {
  assert {
    condition     = join(" ", keys(output.policy_arns)) == "administrator auditor collector freezer promoter publisher reader"
    error_message = "Policies: ${join(" ", keys(output.policy_arns))}"
  }
  assert {
    condition     = length(output.role_arns) == 0 && length(aws_iam_role_policy_attachment.this) == 0 && length(output.instance_profile_names) == 0
    error_message = "Roles were created that nobody asked for."
  }
  assert {
    condition     = alltrue([for role, policy in aws_iam_policy.this : policy.name == "sacker-${role}" && policy.path == "/" && policy.policy == output.documents[role]])
    error_message = "A policy has another name, path or document."
  }
}

run "one_policy_alone" {
  variables {
    policies = ["reader"]
  }
  assert {
    condition     = join(" ", keys(output.policy_arns)) == "reader" && length(output.documents) == 7
    error_message = "Policies: ${join(" ", keys(output.policy_arns))}"
  }
}

run "packages_are_the_keys_of_the_statements" {
  assert {
    condition = [
      for statement in jsondecode(output.documents["publisher"]).Statement : statement.Condition["ForAllValues:StringLike"]["dynamodb:LeadingKeys"] if statement.Sid == "PutVersions"
    ][0] == ["P#app", "P#web/*", "D#*"]
    error_message = output.documents["publisher"]
  }
  assert {
    condition     = alltrue(flatten([for document in values(output.documents) : [for statement in jsondecode(document).Statement : try(statement.Condition.Null["dynamodb:LeadingKeys"], "") == "false" if can(statement.Condition["ForAllValues:StringLike"])]]))
    error_message = "A statement on keys is true of a request without keys."
  }
  assert {
    condition     = length(regexall("T#", join("", [for statement in jsondecode(output.documents["publisher"]).Statement : jsonencode(statement) if contains(statement.Action, "dynamodb:PutItem")]))) == 0
    error_message = "The publisher may put tags."
  }
}

run "the_publisher_may_tag" {
  variables {
    publisher_may_tag = true
  }
  assert {
    condition = [
      for statement in jsondecode(output.documents["publisher"]).Statement : statement.Condition["ForAllValues:StringLike"]["dynamodb:LeadingKeys"] if contains(statement.Action, "dynamodb:PutItem")
    ] == [["P#app", "P#web/*", "D#*", "T#app", "T#web/*"]]
    error_message = output.documents["publisher"]
  }
}

run "readers_of_some_packages" {
  variables {
    readable_packages = ["lib/*"]
  }
  assert {
    condition     = jsondecode(output.documents["reader"]).Statement[0].Condition["ForAllValues:StringLike"]["dynamodb:LeadingKeys"] == ["M", "D#*", "F", "P#lib/*", "T#lib/*"]
    error_message = output.documents["reader"]
  }
  assert {
    condition     = jsondecode(output.documents["promoter"]).Statement[0].Condition["ForAllValues:StringLike"]["dynamodb:LeadingKeys"] == ["M", "D#*", "F", "F#*", "P#lib/*", "T#lib/*", "P#app", "P#web/*", "T#app", "T#web/*"]
    error_message = output.documents["promoter"]
  }
}

run "packages_by_the_tag_of_the_principal" {
  variables {
    packages = ["team/$${aws:PrincipalTag/team}/*"]
    roles    = { promoter = { principals = ["arn:aws:iam::111122223333:root"], tags = { team = "web" } } }
    tags     = { application = "sacker" }
  }
  assert {
    condition     = jsondecode(output.documents["promoter"]).Statement[1].Condition["ForAllValues:StringLike"]["dynamodb:LeadingKeys"] == ["T#team/$${aws:PrincipalTag/team}/*"]
    error_message = output.documents["promoter"]
  }
  assert {
    condition     = aws_iam_role.this["promoter"].tags == tomap({ application = "sacker", team = "web" }) && aws_iam_policy.this["promoter"].tags == tomap({ application = "sacker" })
    error_message = "The role has other tags."
  }
}

run "a_prefix_at_the_root" {
  variables {
    prefix = ""
  }
  assert {
    condition     = jsondecode(output.documents["reader"]).Statement[1].Resource == "arn:aws:s3:::acme-blobs/sha256/*"
    error_message = output.documents["reader"]
  }
}

run "names_path_boundary_and_tags" {
  variables {
    name_prefix          = "prod-"
    names                = { reader = "host" }
    path                 = "/sacker/"
    permissions_boundary = "arn:aws:iam::111122223333:policy/boundary"
    roles = {
      reader    = { instance_profile = true, max_session_duration = 7200 }
      collector = { services = ["ecs-tasks.amazonaws.com"] }
    }
  }
  assert {
    condition     = output.role_names == { reader = "host", collector = "prod-collector" } && aws_iam_policy.this["reader"].name == "host" && aws_iam_policy.this["auditor"].name == "prod-auditor"
    error_message = "Names: ${jsonencode(output.role_names)}"
  }
  assert {
    condition     = alltrue([for role in aws_iam_role.this : role.permissions_boundary == "arn:aws:iam::111122223333:policy/boundary" && role.path == "/sacker/"]) && aws_iam_role.this["reader"].max_session_duration == 7200
    error_message = "A role lacks its boundary, path or duration."
  }
  assert {
    condition     = output.instance_profile_names == { reader = "host" } && aws_iam_instance_profile.this["reader"].role == "host" && aws_iam_role_policy_attachment.this["collector"].role == "prod-collector"
    error_message = "Profiles: ${jsonencode(output.instance_profile_names)}"
  }
  assert {
    condition     = jsondecode(aws_iam_role.this["reader"].assume_role_policy).Statement == [{ Sid = "Services", Effect = "Allow", Principal = { Service = ["ec2.amazonaws.com"] }, Action = "sts:AssumeRole" }]
    error_message = aws_iam_role.this["reader"].assume_role_policy
  }
}

run "trust_of_pipelines" {
  variables {
    roles = {
      publisher = { github_subjects = ["repo:acme/app:ref:refs/heads/main"], gitlab_subjects = ["project_path:acme/app:ref_type:branch:ref:main"] }
      promoter  = { github_subjects = ["repo:acme/app:environment:production"] }
    }
  }
  assert {
    condition = jsondecode(aws_iam_role.this["promoter"].assume_role_policy).Statement == [{
      Sid       = "Github"
      Effect    = "Allow"
      Principal = { Federated = "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com" }
      Action    = "sts:AssumeRoleWithWebIdentity"
      Condition = {
        StringEquals = { "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com" }
        StringLike   = { "token.actions.githubusercontent.com:sub" = ["repo:acme/app:environment:production"] }
      }
    }]
    error_message = aws_iam_role.this["promoter"].assume_role_policy
  }
  assert {
    condition = jsondecode(aws_iam_role.this["publisher"].assume_role_policy).Statement[1].Condition == {
      StringEquals = { "gitlab.example.com:aud" = "https://gitlab.example.com" }
      StringLike   = { "gitlab.example.com:sub" = ["project_path:acme/app:ref_type:branch:ref:main"] }
    }
    error_message = aws_iam_role.this["publisher"].assume_role_policy
  }
}

run "another_audience_of_gitlab" {
  variables {
    gitlab_audience = "aws"
    roles           = { publisher = { gitlab_subjects = ["project_path:acme/app:ref_type:tag:ref:*"] } }
  }
  assert {
    condition     = jsondecode(aws_iam_role.this["publisher"].assume_role_policy).Statement[0].Condition.StringEquals == { "gitlab.example.com:aud" = "aws" }
    error_message = aws_iam_role.this["publisher"].assume_role_policy
  }
}

run "a_key_of_your_own" {
  variables {
    kms_key_arn = "arn:aws:kms:eu-west-1:111122223333:key/k"
  }
  assert {
    condition = alltrue([
      for role, document in output.documents :
      join(" ", flatten([for statement in jsondecode(document).Statement : statement.Action if statement.Resource == "arn:aws:kms:eu-west-1:111122223333:key/k"])) ==
      (contains(["publisher", "administrator"], role) ? "kms:Decrypt kms:GenerateDataKey" : "kms:Decrypt")
    ])
    error_message = jsonencode(output.documents)
  }
}

run "no_key_no_grant" {
  assert {
    condition     = length(regexall("kms:", jsonencode(output.documents))) == 0
    error_message = "A grant on no key."
  }
}

run "statements_of_your_own" {
  variables {
    source_policy_documents = {
      collector = [
        "{\"Version\":\"2012-10-17\",\"Statement\":{\"Sid\":\"One\",\"Effect\":\"Deny\",\"Action\":\"s3:DeleteObject\",\"Resource\":\"*\"}}",
        "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Sid\":\"Two\",\"Effect\":\"Allow\",\"Action\":\"logs:PutLogEvents\",\"Resource\":\"*\"}]}",
      ]
    }
  }
  assert {
    condition     = slice([for statement in jsondecode(output.documents["collector"]).Statement : statement.Sid], 5, 7) == ["One", "Two"] && length(jsondecode(output.documents["reader"]).Statement) == 3
    error_message = output.documents["collector"]
  }
}

# The number that the README states.
run "fifty_named_packages_fit" {
  command = plan

  variables {
    kms_key_arn = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    packages    = [for number in range(50) : format("team/package-%07d", number)]
  }
}

run "too_many_named_packages" {
  command = plan

  variables {
    packages = [for number in range(120) : format("team/package-%08d", number)]
  }
  expect_failures = [aws_iam_policy.this]
}

run "a_role_without_its_policy" {
  command = plan

  variables {
    policies = ["reader"]
    roles    = { auditor = { services = ["ecs-tasks.amazonaws.com"] } }
  }
  expect_failures = [aws_iam_role.this]
}

run "a_role_that_nobody_may_assume" {
  command = plan

  variables {
    roles = { reader = {} }
  }
  expect_failures = [var.roles]
}

run "a_role_that_everybody_may_assume" {
  command = plan

  variables {
    roles = { reader = { principals = ["*"] } }
  }
  expect_failures = [var.roles]
}

run "a_repository_that_anybody_may_create" {
  command = plan

  variables {
    roles = { reader = { github_subjects = ["repo:*/app:environment:production"] } }
  }
  expect_failures = [var.roles]
}

run "a_project_that_anybody_may_create" {
  command = plan

  variables {
    roles = { reader = { gitlab_subjects = ["project_path:*:ref_type:branch:ref:main"] } }
  }
  expect_failures = [var.roles]
}

run "a_subject_without_a_provider" {
  command = plan

  variables {
    github_oidc_provider_arn = null
    roles                    = { reader = { github_subjects = ["repo:acme/app:environment:production"] } }
  }
  expect_failures = [aws_iam_role.this]
}

run "an_unknown_role" {
  command = plan

  variables {
    policies = ["owner"]
  }
  expect_failures = [var.policies]
}

run "a_table_that_is_no_arn" {
  command = plan

  variables {
    table_arn = "sacker"
  }
  expect_failures = [var.table_arn]
}
