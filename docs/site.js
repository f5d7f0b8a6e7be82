// Browsers start no workers from files. So that search works in a site that is opened as files, the worker is a hidden
// frame that runs the same script.
const copied = (message) => new MessageEvent("message", { data: structuredClone(message) })

if (location.protocol === "file:")
  window.Worker = class {
    constructor(url) {
      this.frame = document.body.appendChild(document.createElement("iframe"))
      this.frame.hidden = true
      const inner = this.frame.contentWindow
      inner.postMessage = (message) => this.onmessage?.(copied(message))
      const script = inner.document.createElement("script")
      this.ready = new Promise((resolve, reject) => Object.assign(script, { onload: resolve, onerror: reject }))
      this.ready.catch((error) => this.onerror?.(error))
      script.src = new URL(url, location)
      inner.document.head.append(script)
    }

    postMessage(message) {
      this.ready.then(() => this.frame.contentWindow.dispatchEvent(copied(message)), () => {})
    }

    terminate() {
      this.frame.remove()
    }
  }
