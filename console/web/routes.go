package web

import "sekisho/console/store"

// route is one line of the site map. Roles empty means everybody who is signed in.
type route struct {
	Method  string
	Pattern string
	Public  bool // without a session
	Roles   []string
	NoAPI   bool // changes who may sign in: for a person at a browser only
	do      func(*server, *request) error
}

var (
	admin    = []string{store.RoleAdmin}
	hands    = []string{store.RoleAdmin, store.RoleHelpdesk}
	auditing = []string{store.RoleAdmin, store.RoleAuditor}
)

// routes is the site map: who may see and do what, in one place.
func routes() []route {
	return []route{
		{Method: "GET", Pattern: "/login", Public: true, do: (*server).showSignIn},
		{Method: "POST", Pattern: "/login", Public: true, do: (*server).signIn},
		{Method: "GET", Pattern: "/setup/{token}", Public: true, do: (*server).showSetup},
		{Method: "POST", Pattern: "/setup/{token}", Public: true, do: (*server).setup},
		{Method: "POST", Pattern: "/logout", do: (*server).signOut},

		{Method: "GET", Pattern: "/{$}", do: (*server).overview},
		{Method: "GET", Pattern: "/violations", do: (*server).violations},
		{Method: "GET", Pattern: "/violations.csv", do: (*server).violationsCSV},
		{Method: "GET", Pattern: "/violations/{id}", do: (*server).violation},
		{Method: "GET", Pattern: "/violations/{id}/record.json", do: (*server).proof},
		{Method: "POST", Pattern: "/violations/{id}", Roles: hands, do: (*server).handle},
		{Method: "GET", Pattern: "/terminals", do: (*server).terminals},
		{Method: "GET", Pattern: "/terminals/{id}", do: (*server).terminal},
		{Method: "GET", Pattern: "/terminals/{id}/software", do: (*server).terminalSoftware},
		{Method: "GET", Pattern: "/terminals/{id}/move", Roles: admin, do: (*server).askMove},
		{Method: "POST", Pattern: "/terminals/{id}/move", Roles: admin, do: (*server).moveTerminal},
		{Method: "GET", Pattern: "/terminals/{id}/retire", Roles: admin, do: (*server).askRetire},
		{Method: "POST", Pattern: "/terminals/{id}/retire", Roles: admin, do: (*server).retireTerminal},

		{Method: "GET", Pattern: "/health", do: (*server).health},
		{Method: "GET", Pattern: "/health.csv", do: (*server).healthCSV},
		{Method: "GET", Pattern: "/health/checks/{check}", do: (*server).checkPage},
		{Method: "GET", Pattern: imports, do: (*server).references},
		{Method: "POST", Pattern: imports, Roles: admin, do: (*server).addReference},
		{Method: "POST", Pattern: "/health/references/adopt", Roles: admin, do: (*server).adoptPattern},
		{Method: "POST", Pattern: "/health/references/keys", Roles: admin, NoAPI: true, do: (*server).setReferenceKeys},
		{Method: "POST", Pattern: "/health/references/{reference}/end", Roles: admin, do: (*server).endReference},
		{Method: "GET", Pattern: "/terminals/{id}/health", do: (*server).checkSheet},

		{Method: "GET", Pattern: "/updates", do: (*server).updates},
		{Method: "POST", Pattern: uploads, Roles: admin, do: (*server).addUpdate},
		{Method: "POST", Pattern: "/updates/remove", Roles: admin, do: (*server).removeUpdate},
		{Method: "GET", Pattern: "/updates/offer", Roles: admin, do: (*server).askOffer},
		{Method: "POST", Pattern: "/updates/offer", Roles: admin, do: (*server).offerUpdate},
		{Method: "GET", Pattern: "/updates/offers/{id}/withdraw", Roles: admin, do: (*server).askWithdraw},
		{Method: "POST", Pattern: "/updates/offers/{id}/withdraw", Roles: admin, do: (*server).withdrawUpdate},
		{Method: "POST", Pattern: "/updates/ring", Roles: admin, do: (*server).setRing},

		{Method: "GET", Pattern: "/carryout", do: (*server).grants},
		{Method: "GET", Pattern: "/carryout/new", Roles: hands, do: (*server).newGrant},
		{Method: "POST", Pattern: "/carryout/new", Roles: hands, do: (*server).giveGrant},
		{Method: "GET", Pattern: "/carryout/{id}", do: (*server).grant},
		{Method: "GET", Pattern: "/carryout/{id}/revoke", Roles: hands, do: (*server).askRevoke},
		{Method: "POST", Pattern: "/carryout/{id}/revoke", Roles: hands, do: (*server).revokeGrant},

		{Method: "GET", Pattern: "/software", do: (*server).software},
		{Method: "GET", Pattern: "/software.csv", do: (*server).softwareCSV},
		{Method: "GET", Pattern: "/software/product", do: (*server).product},
		{Method: "GET", Pattern: "/software/undecided", do: (*server).undecided},
		{Method: "GET", Pattern: "/software/decide", Roles: admin, do: (*server).askDecide},
		{Method: "POST", Pattern: "/software/decide", Roles: admin, do: (*server).decide},

		{Method: "GET", Pattern: "/policy", do: (*server).policies},
		{Method: "POST", Pattern: "/policy", Roles: admin, do: (*server).newGroup},
		{Method: "GET", Pattern: "/policy/{group}", do: (*server).policy},
		{Method: "GET", Pattern: "/policy/{group}/edit", Roles: admin, do: (*server).editPolicy},
		{Method: "POST", Pattern: "/policy/{group}/edit", Roles: admin, do: (*server).changePolicy},

		{Method: "GET", Pattern: "/policy/{group}/software", do: (*server).control},
		{Method: "GET", Pattern: "/policy/{group}/software/edit", Roles: admin, do: (*server).editSoftware},
		{Method: "POST", Pattern: "/policy/{group}/software/edit", Roles: admin, do: (*server).changeSoftware},
		{Method: "GET", Pattern: "/policy/{group}/software/proposal", Roles: admin, do: (*server).showProposal},
		{Method: "POST", Pattern: "/policy/{group}/software/proposal", Roles: admin, do: (*server).takeProposal},
		{Method: "GET", Pattern: "/policy/{group}/software/rules.csv", do: (*server).rulesCSV},
		{Method: "GET", Pattern: "/policy/{group}/software/import", Roles: admin, do: (*server).askImport},
		{Method: "POST", Pattern: "/policy/{group}/software/import", Roles: admin, do: (*server).takeImport},
		{Method: "POST", Pattern: "/policy/{group}/software/dryrun", Roles: admin, do: (*server).beginDryRun},
		{Method: "GET", Pattern: "/policy/{group}/software/dryrun/{id}", do: (*server).dryRun},
		{Method: "POST", Pattern: "/policy/{group}/software/dryrun/{id}/cancel", Roles: admin, do: (*server).cancelDryRun},
		{Method: "GET", Pattern: "/policy/{group}/software/publish", Roles: admin, do: (*server).askPublish},
		{Method: "POST", Pattern: "/policy/{group}/software/publish", Roles: admin, do: (*server).publishDraft},
		{Method: "GET", Pattern: "/policy/{group}/software/drop", Roles: admin, do: (*server).askDrop},
		{Method: "POST", Pattern: "/policy/{group}/software/drop", Roles: admin, do: (*server).dropDraft},

		{Method: "GET", Pattern: "/policy/{group}/health", Roles: admin, do: (*server).healthPolicy},
		{Method: "POST", Pattern: "/policy/{group}/health", Roles: admin, do: (*server).changeHealth},
		{Method: "GET", Pattern: "/policy/{group}/health/waivers", do: (*server).waivers},
		{Method: "POST", Pattern: "/policy/{group}/health/waivers", Roles: admin, do: (*server).addWaiver},
		{Method: "POST", Pattern: "/policy/{group}/health/waivers/end", Roles: admin, do: (*server).endWaiver},
		{Method: "GET", Pattern: "/policy/{group}/health/probes", do: (*server).probes},
		{Method: "GET", Pattern: "/policy/{group}/health/probes/{probe}", Roles: admin, do: (*server).probe},
		{Method: "POST", Pattern: "/policy/{group}/health/probes/{probe}", Roles: admin, do: (*server).changeProbe},

		{Method: "GET", Pattern: "/records", Roles: auditing, do: (*server).records},
		{Method: "GET", Pattern: "/search", do: (*server).search},

		{Method: "GET", Pattern: "/tokens", Roles: admin, do: (*server).tokens},
		{Method: "POST", Pattern: "/tokens", Roles: admin, do: (*server).newToken},
		{Method: "GET", Pattern: "/tokens/{id}", Roles: admin, do: (*server).token},
		{Method: "POST", Pattern: "/tokens/{id}/revoke", Roles: admin, do: (*server).revokeToken},
		{Method: "GET", Pattern: "/accounts", Roles: admin, do: (*server).accounts},
		{Method: "POST", Pattern: "/accounts", Roles: admin, NoAPI: true, do: (*server).putAccount},

		{Method: "GET", Pattern: "/account", do: (*server).account},
		{Method: "POST", Pattern: "/account/look", NoAPI: true, do: (*server).changeLook},
		{Method: "POST", Pattern: "/account/password", NoAPI: true, do: (*server).changePassword},
		{Method: "POST", Pattern: "/account/sessions/{id}/end", NoAPI: true, do: (*server).endSession},
		{Method: "POST", Pattern: "/account/tokens", Roles: admin, NoAPI: true, do: (*server).newAPIToken},
	}
}
