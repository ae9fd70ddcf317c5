// Shows the API's description for reading.
Redoc.init("openapi.json", { hideDownloadButton: false }, document.getElementById("page"));
