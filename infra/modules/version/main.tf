# Asks sacker for a version, each time that Terraform plans. Nothing is changed.

data "external" "this" {
  program = [var.python, "${path.module}/version.py"]

  query = {
    package = var.package
    spec    = var.spec
    ledger  = var.ledger == null ? "" : var.ledger
    store   = var.store == null ? "" : var.store
    program = var.program
  }
}
