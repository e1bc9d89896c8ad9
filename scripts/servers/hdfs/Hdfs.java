import java.io.BufferedReader;
import java.io.File;
import java.io.InputStreamReader;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.hdfs.protocol.HdfsConstants.SafeModeAction;
import org.apache.hadoop.hdfs.server.datanode.DataNode;
import org.apache.hadoop.hdfs.server.namenode.NameNode;
import org.apache.hadoop.metrics2.lib.DefaultMetricsSystem;

/**
 * Starts a NameNode and DataNodes of HDFS on loopback only, on ports that the kernel picks, as MiniDFSCluster does, and
 * prints the NameNode's address.
 *
 * Hdfs DIR both                     a NameNode and a DataNode in one process
 * Hdfs DIR namenode [REPLICATION]   a NameNode alone; commands from its input are carried out: see `obey`
 * Hdfs DIR standby [REPLICATION]    a NameNode that never becomes active
 * Hdfs DIR datanode ADDRESS [FULL]  a DataNode of the NameNode at ADDRESS; with FULL it has no space
 */
public final class Hdfs {
    private static final String ANY = "127.0.0.1:0";

    public static void main(String[] args) throws Exception {
        String dir = args[0];
        String role = args[1];
        // Both in one process have metrics of the same names.
        DefaultMetricsSystem.setMiniClusterMode(true);
        if (role.equals("datanode")) {
            DataNode data = dataNode(dir, args[2], args.length > 3);
            System.out.println("joined " + args[2]);
            while (data.isDatanodeUp()) {
                Thread.sleep(1000);
            }
            return;
        }
        NameNode name = nameNode(dir, role.equals("standby"), args.length > 2 ? args[2] : "1");
        String address = "127.0.0.1:" + name.getNameNodeAddress().getPort();
        if (role.equals("both")) {
            dataNode(dir, address, false);
        }
        System.out.println("listening on hdfs://" + address);
        BufferedReader commands = new BufferedReader(new InputStreamReader(System.in));
        for (String line = commands.readLine(); line != null; line = commands.readLine()) {
            System.out.println(obey(name, line.split(" ")));
        }
        name.join();
    }

    private static Configuration loopback(String address) {
        Configuration conf = new Configuration();
        conf.set("fs.defaultFS", "hdfs://" + address);
        conf.set("dfs.namenode.rpc-bind-host", "127.0.0.1");
        // A write with a dead DataNode in its pipeline continues with the others.
        conf.set("dfs.client.block.write.replace-datanode-on-failure.policy", "NEVER");
        conf.set("hadoop.security.group.mapping", "org.apache.hadoop.security.JniBasedUnixGroupsMappingWithFallback");
        return conf;
    }

    private static NameNode nameNode(String dir, boolean standby, String replication)
            throws Exception {
        Configuration conf = loopback(ANY);
        conf.set("dfs.replication", replication);
        conf.set("dfs.namenode.rpc-address", ANY);
        conf.set("dfs.namenode.http-address", ANY);
        conf.set("dfs.namenode.name.dir", new File(dir, "name").toURI().toString());
        // All is gone when it ends: nothing needs to be flushed to the disk for that.
        conf.set("dfs.namenode.edits.noeditlogchannelflush", "true");
        // A DataNode that died is noticed after 12 seconds.
        conf.set("dfs.namenode.heartbeat.recheck-interval", "1000");
        conf.set("dfs.heartbeat.interval", "1");
        conf.set("dfs.namenode.handler.count", "4");
        conf.set("dfs.namenode.service.handler.count", "2");
        if (standby) {
            conf.set("dfs.nameservices", "name");
            conf.set("dfs.ha.namenodes.name", "one,two");
            conf.set("dfs.ha.namenode.id", "one");
            conf.set("dfs.namenode.rpc-address.name.one", ANY);
            conf.set("dfs.namenode.rpc-address.name.two", "127.0.0.1:1");
            conf.set("dfs.namenode.http-address.name.one", ANY);
            conf.set("dfs.namenode.http-address.name.two", "127.0.0.1:1");
            conf.set("dfs.namenode.shared.edits.dir", new File(dir, "shared").toURI().toString());
            new File(dir, "shared").mkdirs();
        }
        NameNode.format(conf);
        return new NameNode(conf);
    }

    private static DataNode dataNode(String dir, String address, boolean full) throws Exception {
        Configuration conf = loopback(address);
        conf.set("dfs.datanode.address", ANY);
        conf.set("dfs.datanode.http.address", ANY);
        conf.set("dfs.datanode.ipc.address", ANY);
        conf.set("dfs.datanode.hostname", "127.0.0.1");
        conf.set("dfs.datanode.data.dir", new File(dir, "data").toURI().toString());
        conf.set("dfs.heartbeat.interval", "1");
        if (full) {
            conf.set("dfs.datanode.du.reserved", String.valueOf(Long.MAX_VALUE / 4));
        }
        DataNode data = DataNode.instantiateDataNode(new String[0], conf);
        data.runDatanodeDaemon();
        while (!data.isDatanodeFullyStarted()) {
            Thread.sleep(20);
        }
        return data;
    }

    /** Carries out `safemode enter|leave` or `quota FOLDER NAMES BYTES`. */
    private static String obey(NameNode name, String[] words) {
        try {
            if (words[0].equals("safemode")) {
                boolean enter = words[1].equals("enter");
                SafeModeAction action = enter ? SafeModeAction.SAFEMODE_ENTER : SafeModeAction.SAFEMODE_LEAVE;
                name.getRpcServer().setSafeMode(action, false);
            } else {
                name.getRpcServer()
                        .setQuota(words[1], Long.parseLong(words[2]), Long.parseLong(words[3]), null);
            }
            return "done";
        } catch (Exception error) {
            return "failed: " + error;
        }
    }
}
