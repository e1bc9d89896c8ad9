import java.io.File;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import org.apache.zookeeper.server.ServerCnxnFactory;
import org.apache.zookeeper.server.ZooKeeperServer;
import org.apache.zookeeper.server.quorum.QuorumPeerMain;

/**
 * Starts ZooKeeper on loopback only, on ports that the kernel picks, and prints its address: one server, or with a
 * number an ensemble of that number in one process. Its own main needs a port that is known to be free beforehand.
 */
public final class Loopback {
    private static final int TICK = 500; // ms; a session lives for 2 to 20 of them

    public static void main(String[] args) throws Exception {
        Path state = Files.createDirectories(Path.of(args[0]));
        if (args.length > 1) {
            ensemble(state, Integer.parseInt(args[1]));
        } else {
            server(state.toFile());
        }
        Thread.currentThread().join();
    }

    private static void server(File state) throws Exception {
        ZooKeeperServer server = new ZooKeeperServer(state, state, TICK);
        InetSocketAddress any = new InetSocketAddress(InetAddress.getByName("127.0.0.1"), 0);
        ServerCnxnFactory factory = ServerCnxnFactory.createFactory(any, 0);
        factory.startup(server);
        System.out.println("listening on 127.0.0.1:" + factory.getLocalPort());
    }

    private static void ensemble(Path state, int size) throws Exception {
        List<Integer> ports = freePorts(3 * size);
        StringBuilder members = new StringBuilder();
        for (int n = 0; n < size; n++) {
            members.append(String.format(
                "server.%d=127.0.0.1:%d:%d%n", n + 1, ports.get(size + n), ports.get(2 * size + n)));
        }
        for (int n = 0; n < size; n++) {
            Path data = Files.createDirectories(state.resolve(n + 1 + "/data"));
            Files.writeString(data.resolve("myid"), Integer.toString(n + 1));
            Path config = state.resolve(n + 1 + "/zoo.cfg");
            Files.writeString(config, String.format(
                "tickTime=%d%ninitLimit=40%nsyncLimit=20%nmaxClientCnxns=0%ndataDir=%s%nclientPort=%d%n"
                    + "clientPortAddress=127.0.0.1%n%s", TICK, data, ports.get(n), members));
            new Thread(() -> new Member().run(config.toString())).start();
        }
        List<Integer> clients = ports.subList(0, size);
        for (int port : clients) {
            awaitService(port);
        }
        System.out.println("listening on "
            + clients.stream().map(port -> "127.0.0.1:" + port).collect(Collectors.joining(",")));
    }

    /** All are held until the last is found, so that they differ. */
    private static List<Integer> freePorts(int count) throws IOException {
        List<ServerSocket> held = new ArrayList<>();
        List<Integer> ports = new ArrayList<>();
        for (int n = 0; n < count; n++) {
            ServerSocket socket = new ServerSocket(0, 1, InetAddress.getByName("127.0.0.1"));
            held.add(socket);
            ports.add(socket.getLocalPort());
        }
        for (ServerSocket socket : held) {
            socket.close();
        }
        return ports;
    }

    /** A server without a quorum answers to `srvr` that it serves no requests. */
    private static void awaitService(int port) throws InterruptedException {
        while (true) {
            try (Socket socket = new Socket("127.0.0.1", port)) {
                socket.getOutputStream().write("srvr".getBytes());
                if (new String(socket.getInputStream().readAllBytes()).contains("Mode: ")) {
                    return;
                }
            } catch (IOException notYet) {
                // Not bound yet.
            }
            Thread.sleep(50);
        }
    }

    private static final class Member extends QuorumPeerMain {
        void run(String config) {
            try {
                initializeAndRun(new String[] {config});
            } catch (Exception error) {
                error.printStackTrace();
                System.exit(1);
            }
        }
    }
}
