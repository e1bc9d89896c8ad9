// Reads a declarative pipeline as Groovy, and writes the text of its last `sh` step to a file: Pipeline.groovy JENKINSFILE FILE.
// Each block is a call with a closure, and each line of `environment` is an assignment; env and params have any name.
class Model extends Script {
  static String last
  static List<String> blocks = []
  static Map<String, Object> set = [:]
  def run() { null }
  def invokeMethod(String name, Object arguments) {
    blocks << name
    def given = arguments as List
    if (name == 'sh') last = given[0]
    if (given && given[-1] instanceof Closure) {
      Closure block = given[-1]
      block.delegate = this
      block.resolveStrategy = Closure.DELEGATE_FIRST
      block()
    }
    name
  }
  def getProperty(String name) {
    name in ['env', 'params'] ? [:].withDefault { "\${$it}" } : name
  }
  void setProperty(String name, Object value) { set[name] = value }
}

def configuration = new org.codehaus.groovy.control.CompilerConfiguration(scriptBaseClass: Model.name)
new GroovyShell(Model.classLoader, new Binding(), configuration).evaluate(new File(args[0]))
assert ['pipeline', 'agent', 'stages', 'stage', 'steps', 'environment', 'sh'].every { it in Model.blocks } : Model.blocks
assert Model.set.SACKER_CI_PACKAGE && Model.set.SACKER_CI_FILE : Model.set
assert !(Model.last instanceof GString) : 'Groovy replaces variables in the script'
new File(args[1]).text = Model.last
