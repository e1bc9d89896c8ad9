import java.lang.reflect.Field;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import software.amazon.dynamodb.services.local.main.CommandLineInput;
import software.amazon.dynamodb.services.local.main.ServerRunner;
import software.amazon.dynamodb.services.local.server.DynamoDBProxyServer;

/**
 * Starts DynamoDB Local on loopback only, on a port that the kernel picks, and prints its address.
 * Its own main listens on every interface, on a port that must be known to be free beforehand.
 */
public final class Loopback {
    public static void main(String[] args) throws Exception {
        CommandLineInput options = new CommandLineInput(args);
        if (!options.init()) {
            System.exit(2);
        }
        DynamoDBProxyServer dynamodb = ServerRunner.createServer(options);
        Field field = DynamoDBProxyServer.class.getDeclaredField("server");
        field.setAccessible(true);
        ServerConnector connector = (ServerConnector) ((Server) field.get(dynamodb)).getConnectors()[0];
        connector.setHost("127.0.0.1");
        connector.setPort(0);
        dynamodb.safeStart();
        System.out.println("listening on http://127.0.0.1:" + connector.getLocalPort());
        dynamodb.join();
    }
}
