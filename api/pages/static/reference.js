// Swagger UI shows the document. The page's policy forbids scripts within the page, so this is a file.
const place = document.getElementById("reference");
SwaggerUIBundle({ url: place.dataset.document, domNode: place });
