output "event_bus_arn" {
  description = "ARN of the event bus."
  value       = local.bus_arn
}

output "pipe_arn" {
  description = "ARN of the pipe."
  value       = aws_pipes_pipe.this.arn
}

output "role_arn" {
  description = "ARN of the role of the pipe."
  value       = aws_iam_role.this.arn
}
