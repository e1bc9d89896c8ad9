// A stand-in for the provider hashicorp/external, for checks where the registry of Terraform can't be reached: the data
// source `external`, with the protocol that its makers document. scripts/terraform-external builds it.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"log"
	"os/exec"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

type external struct{}

func (external) Metadata(_ context.Context, _ provider.MetadataRequest, out *provider.MetadataResponse) {
	out.TypeName = "external"
}
func (external) Schema(context.Context, provider.SchemaRequest, *provider.SchemaResponse) {}
func (external) Configure(context.Context, provider.ConfigureRequest, *provider.ConfigureResponse) {
}
func (external) Resources(context.Context) []func() resource.Resource { return nil }
func (external) DataSources(context.Context) []func() datasource.DataSource {
	return []func() datasource.DataSource{func() datasource.DataSource { return source{} }}
}

type source struct{}

type model struct {
	ID         types.String `tfsdk:"id"`
	Program    types.List   `tfsdk:"program"`
	WorkingDir types.String `tfsdk:"working_dir"`
	Query      types.Map    `tfsdk:"query"`
	Result     types.Map    `tfsdk:"result"`
}

func (source) Metadata(_ context.Context, _ datasource.MetadataRequest, out *datasource.MetadataResponse) {
	out.TypeName = "external"
}

func (source) Schema(_ context.Context, _ datasource.SchemaRequest, out *datasource.SchemaResponse) {
	out.Schema = schema.Schema{Attributes: map[string]schema.Attribute{
		"id":          schema.StringAttribute{Computed: true},
		"program":     schema.ListAttribute{ElementType: types.StringType, Required: true},
		"working_dir": schema.StringAttribute{Optional: true},
		"query":       schema.MapAttribute{ElementType: types.StringType, Optional: true},
		"result":      schema.MapAttribute{ElementType: types.StringType, Computed: true},
	}}
}

func (source) Read(ctx context.Context, in datasource.ReadRequest, out *datasource.ReadResponse) {
	var config model
	out.Diagnostics.Append(in.Config.Get(ctx, &config)...)
	var program []string
	out.Diagnostics.Append(config.Program.ElementsAs(ctx, &program, false)...)
	// A null value is left out.
	query := map[string]string{}
	for name, value := range config.Query.Elements() {
		if text, ok := value.(types.String); ok && !text.IsNull() {
			query[name] = text.ValueString()
		}
	}
	if out.Diagnostics.HasError() {
		return
	}
	stdin, _ := json.Marshal(query)
	command := exec.CommandContext(ctx, program[0], program[1:]...)
	command.Dir = config.WorkingDir.ValueString()
	command.Stdin = bytes.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	if err := command.Run(); err != nil {
		text := "The data source received an unexpected error while attempting to execute the program.\n\nProgram: " +
			program[0] + "\nError Message: " + strings.TrimSpace(stderr.String()) + "\nState: " + err.Error()
		out.Diagnostics.AddAttributeError(path.Root("program"), "External Program Execution Failed", text)
		return
	}
	result := map[string]string{}
	if err := json.Unmarshal(stdout.Bytes(), &result); err != nil {
		out.Diagnostics.AddAttributeError(path.Root("program"), "Unexpected External Program Results",
			"The program must print a JSON object of strings: "+err.Error())
		return
	}
	value, diagnostics := types.MapValueFrom(ctx, types.StringType, result)
	out.Diagnostics.Append(diagnostics...)
	config.Result, config.ID = value, types.StringValue("-")
	out.Diagnostics.Append(out.State.Set(ctx, &config)...)
}

func main() {
	options := providerserver.ServeOpts{Address: "registry.terraform.io/hashicorp/external", ProtocolVersion: 5}
	if err := providerserver.Serve(context.Background(), func() provider.Provider { return external{} }, options); err != nil {
		log.Fatal(err)
	}
}
