output "version" {
  description = "The version number."
  value       = tonumber(data.external.this.result.version)
}

output "sha256" {
  description = "The sha256 of the bytes."
  value       = data.external.this.result.sha256
}

output "size" {
  description = "The size in bytes."
  value       = tonumber(data.external.this.result.size)
}

output "filename" {
  description = "The name of the added file; empty if there is none."
  value       = data.external.this.result.filename
}

output "labels" {
  description = "The labels of the version: values by name."
  value       = { for name, value in jsondecode(data.external.this.result.labels) : name => value }
}

output "state" {
  description = "The state of the version, such as active."
  value       = data.external.this.result.state
}

output "rev" {
  description = "The revision at which the tag was last changed, which grows with each change; null if spec is no tag."
  value       = try(tonumber(data.external.this.result.rev), null)
}

output "result" {
  description = "All fields, as strings."
  value       = data.external.this.result
}
