import reversal = require("@reversal/client");

const client: reversal.ReversalClient = reversal.createClient();
void client.models.list().then((models) => models.active_version);
