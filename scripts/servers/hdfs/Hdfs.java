import java.io.BufferedReader;
import java.io.File;
import java.io.InputStreamReader;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.ha.HAServiceProtocol.RequestSource;
import org.apache.hadoop.ha.HAServiceProtocol.StateChangeRequestInfo;
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
 * Hdfs DIR standby [REPLICATION]    a NameNode of two, in standby, which makes DIR
 * Hdfs DIR second [REPLICATION]     the other one of that DIR, in standby too
 * Hdfs DIR datanode ADDRESS [FULL]  a DataNode of the NameNode at ADDRESS, or of two at ADDRESS,ADDRESS; with FULL it has no
 *                                   space
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
        NameNode name = nameNode(dir, role, args.length > 2 ? args[2] : "1");
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

    private static NameNode nameNode(String dir, String role, String replication) throws Exception {
        boolean second = role.equals("second");
        Configuration conf = loopback(ANY);
        conf.set("dfs.replication", replication);
        conf.set("dfs.namenode.rpc-address", ANY);
        conf.set("dfs.namenode.http-address", ANY);
        File own = new File(dir, second ? "second" : "name");
        conf.set("dfs.namenode.name.dir", own.toURI().toString());
        // All is gone when it ends: nothing needs to be flushed to the disk for that.
        conf.set("dfs.namenode.edits.noeditlogchannelflush", "true");
        // A DataNode that died is noticed after 12 seconds.
        conf.set("dfs.namenode.heartbeat.recheck-interval", "1000");
        conf.set("dfs.heartbeat.interval", "1");
        conf.set("dfs.namenode.handler.count", "4");
        conf.set("dfs.namenode.service.handler.count", "2");
        if (second || role.equals("standby")) {
            String[] ids = second ? new String[] {"two", "one"} : new String[] {"one", "two"};
            conf.set("dfs.nameservices", "name");
            conf.set("dfs.ha.namenodes.name", "one,two");
            conf.set("dfs.ha.namenode.id", ids[0]);
            // Nothing is asked of the other one: what it wrote is in the shared folder.
            for (String kind : new String[] {"rpc", "http"}) {
                conf.set("dfs.namenode." + kind + "-address.name." + ids[0], ANY);
                conf.set("dfs.namenode." + kind + "-address.name." + ids[1], "127.0.0.1:1");
            }
            conf.set("dfs.namenode.shared.edits.dir", new File(dir, "shared").toURI().toString());
            conf.set("dfs.ha.standby.checkpoints", "false");
            new File(dir, "shared").mkdirs();
        }
        if (second) {
            copy(new File(dir, "name/current").toPath(), new File(own, "current").toPath());
        } else {
            NameNode.format(conf);
        }
        return new NameNode(conf);
    }

    private static void copy(Path from, Path to) throws Exception {
        Files.createDirectories(to);
        try (DirectoryStream<Path> files = Files.newDirectoryStream(from)) {
            for (Path file : files) {
                Files.copy(file, to.resolve(file.getFileName()));
            }
        }
    }

    private static DataNode dataNode(String dir, String address, boolean full) throws Exception {
        String[] addresses = address.split(",");
        Configuration conf = loopback(addresses[0]);
        if (addresses.length > 1) {
            conf.set("dfs.nameservices", "name");
            conf.set("dfs.ha.namenodes.name", "one,two");
            conf.set("dfs.namenode.rpc-address.name.one", addresses[0]);
            conf.set("dfs.namenode.rpc-address.name.two", addresses[1]);
        }
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

    /** Carries out `active`, `safemode enter|leave` or `quota FOLDER NAMES BYTES`. */
    private static String obey(NameNode name, String[] words) {
        try {
            if (words[0].equals("active")) {
                name.getRpcServer().transitionToActive(new StateChangeRequestInfo(RequestSource.REQUEST_BY_USER));
            } else if (words[0].equals("safemode")) {
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
