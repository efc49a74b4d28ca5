// Calls of JDBC, for test/t/048_clients.pl.
import java.sql.*;

public class Client {
	static volatile boolean ended;

	// Print what has arrived, and cancel the call once there is progress.
	static void watch(PreparedStatement statement) {
		int seen = 0;
		try {
			while (!ended) {
				int i = 0;
				boolean found = false;
				for (SQLWarning w = statement.getWarnings(); w != null; w = w.getNextWarning()) {
					if (i++ < seen)
						continue;
					seen++;
					System.out.println("shown: " + w.getMessage());
					found |= w.getMessage().contains("%");
				}
				if (found)
					statement.cancel();
				Thread.sleep(50);
			}
		} catch (Exception e) {
			e.printStackTrace();
		}
	}

	public static void main(String[] args) throws Exception {
		Connection c = DriverManager.getConnection("jdbc:postgresql://127.0.0.1:"
			+ System.getenv("PGPORT") + "/postgres?user=app");
		String call = "SELECT status FROM bulkpar_update(?, ?, ?, 20, 2)";
		PreparedStatement s = c.prepareStatement(call);

		s.setString(1, "t");
		s.setString(2, "n");
		s.setString(3, "n + 1 + (pg_sleep(0.002)::text <> '')::integer");
		Thread watcher = new Thread(() -> watch(s));
		watcher.start();
		try {
			s.executeQuery();
		} catch (SQLException e) {
			System.out.println("cancelled: " + e.getSQLState());
		}
		ended = true;
		watcher.join();

		PreparedStatement list = c.prepareStatement(call);
		list.setString(1, "t");
		list.setArray(2, c.createArrayOf("text", new String[] {"n"}));
		list.setArray(3, c.createArrayOf("text", new String[] {"1"}));
		ResultSet r = list.executeQuery();
		r.next();
		System.out.println("list: " + r.getString(1));

		c.setAutoCommit(false);
		try {
			c.createStatement().execute("SELECT bulkpar_update('t', 'n', 'n')");
		} catch (SQLException e) {
			System.out.println("block: " + e.getSQLState());
		}
	}
}
