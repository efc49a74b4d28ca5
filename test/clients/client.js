// Calls of Node's pg, for test/t/048_clients.pl.
const { Client } = require('pg');
const config = { host: '127.0.0.1', user: 'app', database: 'postgres' };

async function cancel(pid) {
	const other = new Client(config);
	await other.connect();
	await other.query('SELECT pg_cancel_backend($1)', [pid]);
	await other.end();
}

async function main() {
	const client = new Client(config);
	let cancelled = false;

	await client.connect();
	client.on('notice', (notice) => {
		console.log(`shown: ${notice.severity}: ${notice.message}`);
		if (!cancelled && notice.message.includes('%')) {
			cancelled = true;
			cancel(client.processID);
		}
	});
	await client.query('SELECT bulkpar_update($1, $2, $3, 20, 2)',
		['t', 'n', "n + 1 + (pg_sleep(0.002)::text <> '')::integer"])
		.catch((error) => console.log(`cancelled: ${error.code}`));
	const result = await client.query(
		'SELECT status FROM bulkpar_update($1, $2, $3)', ['t', ['n'], ['1']]);
	console.log(`list: ${result.rows[0].status}`);
	await client.query('BEGIN');
	await client.query("SELECT bulkpar_update('t', 'n', 'n')")
		.catch((error) => console.log(`block: ${error.code}`));
	await client.end();
}

main();
