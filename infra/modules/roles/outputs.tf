output "documents" {
  description = "The policy documents, by role; those of all roles, whatever is created."
  value       = local.documents
}

output "policy_arns" {
  description = "ARNs of the managed policies, by role."
  value       = { for role, policy in aws_iam_policy.this : role => policy.arn }
}

output "role_arns" {
  description = "ARNs of the roles that were created, by role."
  value       = { for role, created in aws_iam_role.this : role => created.arn }
}

output "role_names" {
  description = "Names of the roles that were created, by role."
  value       = { for role, created in aws_iam_role.this : role => created.name }
}

output "instance_profile_names" {
  description = "Names of the instance profiles that were created, by role."
  value       = { for role, profile in aws_iam_instance_profile.this : role => profile.name }
}
