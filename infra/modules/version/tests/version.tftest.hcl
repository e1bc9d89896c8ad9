mock_provider "external" {
  override_during = plan

  mock_data "external" {
    defaults = {
      result = {
        package  = "app"
        version  = "42"
        sha256   = "62f18b95504b18e073a25a465a1a8ca5f8513fcd19aff2f3cf41cf1cdbd09ed4"
        size     = "1048576"
        filename = "app.tar.gz"
        state    = "active"
        message  = ""
        added_at = "2026-05-01T10:00:00.000Z"
        added_by = "ci@acme"
        rev      = "7"
        labels   = "{\"commit\": \"3f2a91c\"}"
      }
    }
  }
}

variables {
  package = "app"
}

run "live_by_default" {
  command = plan

  assert {
    condition     = data.external.this.query == tomap({ package = "app", spec = "live", ledger = "", store = "", program = "sacker" })
    error_message = "Only the package must be given."
  }
  assert {
    condition     = output.version == 42 && output.size == 1048576 && output.rev == 7
    error_message = "Numbers are numbers."
  }
  assert {
    condition     = output.labels == { commit = "3f2a91c" } && output.filename == "app.tar.gz" && output.state == "active"
    error_message = "Labels are a map."
  }
}

run "no_revision_without_a_tag" {
  command = plan

  variables {
    spec = "42"
  }

  override_data {
    target = data.external.this
    values = {
      result = {
        version = "42", sha256 = "62f1", size = "1", filename = "", state = "yanked", labels = "{}", rev = ""
      }
    }
  }

  assert {
    condition     = output.rev == null && output.labels == {}
    error_message = "A version that was found by its number has no revision of a tag."
  }
}

run "a_ledger_without_a_store_is_refused" {
  command = plan

  variables {
    ledger = "dynamodb://sacker"
  }

  expect_failures = [var.ledger]
}
